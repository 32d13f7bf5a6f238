"""Overlaps decided by their owner at random, and what was decided, for the oracle."""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.domain.events.revision import revision
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError
from tests.simulation.host import Host
from tests.simulation.rules import Settled, Told
from tests.support.graph_events import decode_event

type Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """An accepted decision: the run to start for it, if any, and for each event whether it is kept."""

    run_id: UUID | None
    kept: Mapping[str, bool]


async def decide(
    host: Host, owner: Caller, rng: random.Random, groups: Sequence[Row], members: Sequence[Row]
) -> Decision | None:
    """Decide one group somehow. None if that was refused."""
    group = rng.choice(groups)
    ours = [row for row in members if row["group_id"] == group["id"] and not row["departed"]]
    kept = rng.choice((None, [], _apart(rng, ours), _apart(rng, ours)))
    with suppress(AdminAssistantError):
        run_id = (await host.app.review.overlap_resolving.resolve(owner, group["id"], kept)).run_id
        keys = [row["source_key"] for row in ours]
        return Decision(run_id, {key: kept is None or key in kept for key in keys})
    return None


def open_groups(groups: Sequence[Row]) -> list[Row]:
    """Groups that can be decided, again if need be."""
    return [group for group in groups if group["status"] not in ("closed", "merged")]


def settled(groups: Sequence[Row], members: Sequence[Row]) -> list[Settled]:
    """The decisions that stand."""
    found = []
    for group in groups:
        if group["status"] in ("settled", "expired"):
            ours = [row for row in members if row["group_id"] == group["id"] and not row["departed"]]
            found.append(
                Settled(
                    {row["source_key"]: row["revision"] for row in ours},
                    {row["source_key"] for row in ours if row["kept"]},
                )
            )
    return found


def outlasting(groups: Sequence[Row], members: Sequence[Row], rows: Sequence[Row]) -> set[str]:
    """Keys of events of closed groups whose decision stands: the copy of one that vanished is still there."""
    vanished = {row["source_key"] for row in rows if row["state"] == "source_deleted" and row["copy_id"]}
    found: set[str] = set()
    for group in groups:
        if group["status"] == "closed" and group["resolution"]:
            keys = {row["source_key"] for row in members if row["group_id"] == group["id"]}
            found |= keys if keys & vanished else set()
    return found


def named(event: Told) -> str:
    """How a decision names an event as it was: changed in anything, it is another."""
    return revision(decode_event(event.item), event.applied)


def _apart(rng: random.Random, members: Sequence[Row]) -> list[str]:
    """Events that do not overlap each other."""
    kept: list[Row] = []
    for row in rng.sample(list(members), len(members)):
        if all(row["end_at"] <= other["start_at"] or other["end_at"] <= row["start_at"] for other in kept):
            kept.append(row)
    return [row["source_key"] for row in kept]
