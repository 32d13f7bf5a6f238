"""Duplicates among events of the same start: archived once, the others merged (domain.md 2.9)."""

from collections.abc import Sequence

from shared.domain.planning.decision import Candidate, Decision, merge
from shared.domain.runs.archived_event import ArchivedEventState


def separate_duplicates(batch: Sequence[Candidate]) -> tuple[list[Candidate], list[Decision]]:
    """Those of the events that stand for themselves, and the merges of the others.

    What is archived stands by itself; where nothing is, one stands for all: rather one the map knows,
    then the smallest key.
    """
    if len(batch) == 1:
        return list(batch), []
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in batch:
        groups.setdefault(candidate.facts.duplicate, []).append(candidate)
    standing: list[Candidate] = []
    merges: list[Decision] = []
    for group in groups.values():
        own = [candidate for candidate in group if _claims(candidate)] or [min(group, key=_succession)]
        keys = {candidate.facts.key for candidate in own}
        standing += own
        merges += [merge(candidate, keys) for candidate in group if candidate.facts.key not in keys]
    return standing, merges


def _claims(candidate: Candidate) -> bool:
    """Whether no other duplicate may take its place: its copy is there, on its way, or unwanted."""
    known = candidate.known
    if known is None or known.archived:
        return known is not None
    creating = known.state is ArchivedEventState.CREATING and known.under_way
    return creating or known.state is ArchivedEventState.REMOVED_BY_OWNER


def _succession(candidate: Candidate) -> tuple[int, str]:
    """Who represents a group that has no copy: first who already did, then who may take one over."""
    known = candidate.known
    if known is None:
        return 2, candidate.facts.key
    return int(known.state is ArchivedEventState.MERGED), candidate.facts.key
