"""Finds duplicates among events of one start. One is archived, the others merged (domain.md 2.9)."""

from collections.abc import Collection, Container, Iterable, Sequence
from functools import partial

from shared.domain.events.revision import duplicate_hash
from shared.domain.planning.candidate import Candidate
from shared.domain.planning.decision import Merge, merge
from shared.domain.planning.event_facts import as_entered
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState


def separate_duplicates(batch: Sequence[Candidate]) -> tuple[list[Candidate], list[Merge]]:
    """The events that are archived themselves, and the merges of the others.

    An archived event keeps its copy. If none is archived, one represents all: first who may take over a
    copy, then a known key, then the smallest key. Events that wait for a person are decided elsewhere. If
    none is archived, the others wait with them: they are merged into one that waits.
    """
    if len(batch) == 1:
        return [each for each in batch if not each.waits], []
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in batch:
        groups.setdefault(candidate.facts.duplicate, []).append(candidate)
    standing: list[Candidate] = []
    merges: list[Merge] = []
    for duplicates in groups.values():
        waiting = {candidate.facts.key for candidate in duplicates if candidate.waits}
        group = [candidate for candidate in duplicates if not candidate.waits]
        if not group:
            continue
        if waiting and not any(_claims(candidate) for candidate in group):
            merges += [merge(candidate, waiting) for candidate in group]
            continue
        keys = {candidate.facts.key for candidate in group}
        own = [candidate for candidate in group if _claims(candidate)]
        own = own or [min(group, key=partial(_succession, keys))]
        keys = {candidate.facts.key for candidate in own}
        standing += own
        merges += [merge(candidate, keys) for candidate in group if candidate.facts.key not in keys]
    return standing, merges


def _claims(candidate: Candidate) -> bool:
    """Whether no other duplicate may replace it: its copy exists, is being written, or is unwanted."""
    known = candidate.known
    if known is None or known.archived:
        return known is not None
    creating = known.state is ArchivedEventState.CREATING and known.under_way
    return creating or known.state is ArchivedEventState.REMOVED_BY_OWNER


def _succession(keys: Collection[str], candidate: Candidate) -> tuple[int, str]:
    """Who represents a group without a copy: who may take one over, else the present representative.

    Who was merged into an event outside the group (``keys``) comes first, because that one may have a copy.
    A row without a copy may only say that an earlier reading met its event.
    """
    known = candidate.known
    if known is None:
        return 3, candidate.facts.key
    if known.state is not ArchivedEventState.MERGED:
        return 1, candidate.facts.key
    return 2 if known.merged_into in keys else 0, candidate.facts.key


def represented(reads: Iterable[ReadEvent], new: Container[str], asked: Container[str]) -> set[str]:
    """Keys of ``new`` events that have a duplicate. They are no meetings of their own (domain.md 2.16).

    The other ``reads`` are archived. Of new duplicates one is not returned: one that a question is ``asked``
    about, else the one with the smallest key.
    """
    found: set[str] = set()
    seen: set[bytes] = set()
    for read in sorted(reads, key=lambda read: (read.key in new, read.key not in asked, read.key)):
        duplicate = duplicate_hash(as_entered(read))
        if read.key in new and duplicate in seen:
            found.add(read.key)
        seen.add(duplicate)
    return found
