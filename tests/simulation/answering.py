"""Action items about archived meetings: some are answered at random, some wait, some expire."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.domain.action_items.items import Answer
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError
from tests.simulation.host import Host

type Row = dict[str, Any]

#: What may be answered to each question (domain.md 2.4, 2.16, 2.17).
ANSWERS: dict[str, tuple[str, ...]] = {
    "likely_same": ("one_meeting", "two_meetings", "new_one_only"),
    "moved_on": ("took_place", "was_postponed"),
    "series_changed": ("keep_archived", "take_series"),
}
#: Answers after which a copy that stood may count no more, and those after which there may be more copies.
SUPERSEDES = frozenset({"new_one_only", "was_postponed", "take_series"})
ADDS = frozenset({"two_meetings", "take_series"})


@dataclass(slots=True)
class Answers:
    """What the questions and answers of a world mean for its calendar, by ``meeting_of``."""

    #: Meetings of which one waits: asked and not answered, or answered and not carried out.
    asked: set[int] = field(default_factory=set)
    #: Graph's ids of the days that their series shows and the archive does not have: asked about.
    days: set[str] = field(default_factory=set)
    #: Meetings of changed series whose question is open or was answered *keep what is archived*.
    series: set[int] = field(default_factory=set)
    #: Keys of new events that an open question is about: they wait for its answer.
    keys: set[str] = field(default_factory=set)
    #: Meetings whose old copy may count no more.
    superseded: set[int] = field(default_factory=set)
    #: Meetings about which something was answered: their copies may follow to another time.
    answered: set[int] = field(default_factory=set)
    #: How many meetings more the owner said took place.
    more: Counter[int] = field(default_factory=Counter)

    def take(self, item: Row, events: Collection[Row], meetings: Collection[int]) -> None:
        """An item, its events, and the meetings that it is about."""
        undone = item["due_at"] is not None and item["carried_out_at"] is None
        if item["question"] == "likely_same" and (item["status"] == "open" or undone):
            self.asked |= set(meetings)
            if item["status"] == "open":
                self.keys |= {event["source_key"] for event in events if event["side"] == "new"}
        if item["question"] == "series_changed":
            archived = {event["source_key"] for event in events if event["side"] == "archived"}
            self.days |= {event["source_id"] for event in events if event["source_key"] not in archived}
            taken = item["answer"] == "take_series" and item["carried_out_at"] is not None
            if item["status"] != "closed" and not taken:
                self.series |= set(meetings)
        given = _given(item)
        if given:
            self.answered |= set(meetings)
        if given & SUPERSEDES:
            self.superseded |= set(meetings)
        if given & ADDS:
            # One question may be about several days of a series.
            new = sum(event["side"] == "new" for event in events)
            times = new if "two_meetings" in given else 1
            self.more.update(dict.fromkeys(meetings, times))


def _given(item: Row) -> set[str]:
    """The answers that runs may have carried out.

    A series that changes again is asked about again, after runs carried out what was answered before.
    """
    given = {item["answer"]} - {None}
    if item["question"] == "series_changed":
        given |= {entry["answer"] for entry in item["log"] if "answer" in entry}
    return given


async def answer(host: Host, owner: Caller, rng: random.Random, items: Sequence[Row]) -> list[UUID]:
    """Answer one open item somehow; the runs to be started for it."""
    item = rng.choice(items)
    return await give(host, owner, item, Answer(rng.choice(ANSWERS[item["question"]])))


async def give(host: Host, owner: Caller, item: Row, wanted: Answer) -> list[UUID]:
    """Give this answer; the runs to be started for it, none if it is refused."""
    with suppress(AdminAssistantError):
        return list((await host.app.review.answering.answer(owner, item["id"], wanted)).run_ids)
    return []


def open_items(items: Iterable[Row]) -> list[Row]:
    """Those that can be answered."""
    return [item for item in items if item["status"] == "open"]
