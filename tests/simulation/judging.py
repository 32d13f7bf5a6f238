"""What the judge of a world keeps while it runs, and its comparison with the oracle at the end."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.database.engine import Database
from tests.simulation import accounts, deciding, rule_counts
from tests.simulation.answering import Answers
from tests.simulation.archives import Archive
from tests.simulation.asking import needless
from tests.simulation.epoch import EPOCH
from tests.simulation.fault_sites import FaultSites
from tests.simulation.graph_world import GraphWorld
from tests.simulation.hours import check_hours, check_reasons
from tests.simulation.locked_periods import Frozen
from tests.simulation.mailbox import Person
from tests.simulation.minutes import Minutes, Moved, Past
from tests.simulation.oracle import Facts, Snapshot
from tests.simulation.orchestration import current_activity
from tests.simulation.rules import Policies, Settled
from tests.simulation.source_keys import Json, archive_key_of, key_of, meeting_of
from tests.simulation.statistics import REBUILT
from tests.simulation.verifying import check_verification

type Row = dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """What became of one seed."""

    seed: int
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    #: Where faults could strike and did.
    sites: FaultSites = field(default_factory=FaultSites)
    #: How often each rule fired.
    rules: Counter[str] = field(default_factory=Counter)
    #: The hash of everything that happened: the same in every run of the seed.
    trace: str = ""


class Rest(Enum):
    """Whether anything is still to come. ``LEARNING``: the last run found out what its plan did not know."""

    FOUND = "found"
    LEARNING = "learning"
    WAITING = "waiting"


class Judge:
    """Watches one configuration: what its plans read, what its owner decided, what came of it."""

    def __init__(
        self,
        observer: Database,
        graph: GraphWorld,
        person: Person,
        archive: Archive,
        configuration_id: UUID,
        zone: ZoneInfo,
        policies: Policies,
        verdict: Verdict,
    ) -> None:
        self._observer = observer
        self._graph = graph
        self._person = person
        self._archive = archive
        self._configuration = configuration_id
        self._zone = zone
        self._policies = policies
        self.verdict = verdict
        self.frozen: Frozen | None = None
        self._pages: dict[tuple[UUID, int], dict[str, Json]] = {}
        self._snapshots: dict[UUID, Snapshot] = {}
        self._copied: set[str] = set()
        #: Copies as they stood last, and when. By Graph's id.
        self._stood: dict[str, tuple[datetime, Json]] = {}
        #: The former ids of copies that a rebuild did not bring again, by archive key.
        self._lost: dict[str, str] = {}
        #: Copies that stand at another time than before.
        self._moved: list[Moved] = []
        self._settled: list[Settled] = []
        #: The row of each key when these decisions were read.
        self._rows_by_key: dict[str, UUID] = {}
        #: What the owner said last of each event: whether it is kept.
        self.decided: dict[str, bool] = {}

    def page(self, host: str, items: list[Json]) -> None:
        """A page of a calendar view was answered: is it one of a plan?"""
        activity = current_activity.get()
        if activity is not None and activity[1] == "plan_archive_run":
            pages = self._pages.setdefault((activity[0], activity[2]), {})
            pages |= {key_of(item): item for item in items}

    async def overlaps(self) -> tuple[list[Row], list[Row]]:
        """The groups that are not over, and all members."""
        groups, members = await self._rows(
            "overlap_groups ORDER BY opened_at, id", "overlap_members ORDER BY start_at, source_key"
        )
        return deciding.open_groups(groups), members

    async def items(self) -> list[Row]:
        """Every action item about archived meetings."""
        (items,) = await self._rows("action_items ORDER BY opened_at, id")
        return items

    async def archived(self) -> list[Row]:
        """The rows that have an appointment, with its id."""
        rows, appointments = await self._rows("archived_events ORDER BY source_key", "appointments")
        ids = {each["archived_event_id"]: each["id"] for each in appointments}
        return [row | {"appointment_id": ids[row["id"]]} for row in rows if row["id"] in ids]

    async def missing(self) -> list[Row]:
        """What verifications found missing and nobody put back."""
        (findings,) = await self._rows("verification_findings ORDER BY found_at, subject")
        return [each for each in findings if each["kind"] == "missing" and each["state"] == "open"]

    async def archive_from(self) -> date:
        """Where the archive begins."""
        (configurations,) = await self._rows("archive_configurations")
        first: date = next(c["archive_from"] for c in configurations if c["id"] == self._configuration)
        return first

    async def locked(self) -> bool:
        """Whether a period is locked, by any answer."""
        (locks,) = await self._rows("period_locks")
        return bool(locks)

    async def open_work(self) -> int:
        """How many runs and verifications are not over."""
        rows, verifications = await self._rows("archive_runs", "verifications")
        self._keep_snapshots(rows)
        return sum(row["state"] in ("queued", "running") for row in (*rows, *verifications))

    async def writes_in_flight(self) -> bool:
        """Whether a run that is over left writes for the next one to reconcile."""
        runs, operations = await self._rows("archive_runs", "archive_operations")
        self._keep_snapshots(runs)
        return any(operation["state"] == "sent" for operation in operations)

    async def note_copies(self) -> list[Json]:
        """What stands in the archive now: it may not be gone later."""
        copies = await self._archive.copies()
        at = EPOCH + timedelta(seconds=self._graph.trace.now())
        self._find_lost(copies)
        for copy in copies:
            stood = self._stood.get(copy["id"])
            if stood is not None and any(stood[1][name] != copy[name] for name in ("start", "end")):
                self._moved.append(Moved(*stood, copy))
        self._stood |= {copy["id"]: (at, copy) for copy in copies}
        return copies

    def _find_lost(self, copies: list[Json]) -> None:
        for copy in copies:
            if (former := self._lost.pop(archive_key_of(copy), None)) is not None:
                self._stood[copy["id"]] = self._stood.pop(former)

    async def archive_calendar(self) -> str:
        """The calendar that is archived into."""
        (configurations,) = await self._rows("archive_configurations")
        found: str = next(c["archive_calendar_id"] for c in configurations if c["id"] == self._configuration)
        return found

    async def rebuilt(self) -> None:
        """The archive calendar was made again: the copies that stood are others now, and say the same."""
        copies = {archive_key_of(copy): copy for copy in await self._archive.copies()}
        ids = {key: copy["id"] for key, copy in copies.items()}
        # The rebuild gives each copy a new id. A copy that keeps its former id is lost. If its write was
        # in flight when the calendar was deleted, a later run may still create it.
        self._lost = {
            key: copy_id
            for copy_id, (_, copy) in self._stood.items()
            if (key := archive_key_of(copy)) not in ids
        }
        self._stood = {
            ids.get(archive_key_of(copy), copy_id): (at, copy) for copy_id, (at, copy) in self._stood.items()
        }
        if self.frozen is not None:
            self.frozen = self.frozen.rebuilt(copies)
        self.verdict.facts[REBUILT] = 1

    async def look(self) -> None:
        """What the last run finds: the copies that are there, and what was decided."""
        self._copied = {archive_key_of(copy) for copy in await self.note_copies()}
        self._settled = deciding.settled(*await self.overlaps())
        (rows,) = await self._rows("archived_events")
        self._rows_by_key = {row["source_key"]: row["id"] for row in rows}

    async def judge(self, requested: UUID | None) -> Rest:
        """Compare everything with everything."""
        runs, operations, events, audit, appointments = await self._rows(
            "archive_runs", "archive_operations", "archived_events", "audit_entries", "appointments"
        )
        self._keep_snapshots(runs)
        self.verdict.facts |= {
            "runs": dict(Counter(f"run {run['kind']} {run['state']}" for run in runs)),
            "operations": dict(Counter(f"{o['action']} {o['state']}" for o in operations)),
            "rows": dict(Counter(f"row {row['state']}" for row in events)),
        }
        problems = self.verdict.problems
        problems += accounts.check_runs(runs)
        problems += accounts.check_operations(operations)
        wrong = accounts.check_audit(operations, audit)
        self._tell(
            operations, {o["archived_event_id"] for o in operations if any(str(o["id"]) in w for w in wrong)}
        )
        problems += wrong
        # A decision holds for a meeting that the last run found again under another key (domain.md 5.9).
        keys = {row["id"]: row["source_key"] for row in events}
        moved = {old: keys[row] for old, row in self._rows_by_key.items() if row in keys}
        self._settled = [each.under(moved) for each in self._settled]
        last = self._snapshots.get(requested) if requested else None
        if last is None:
            problems.append("the last run was never planned")
            return Rest.FOUND
        copies = await self._archive.copies()
        self.verdict.facts["copies"] = len(copies)
        answers = await self._answers(events, copies)
        facts = Facts(
            configuration_id=self._configuration,
            zone=self._zone,
            last=last,
            history=self._person.history,
            touched=self._person.touched,
            copies=copies,
            rows=events,
            operations=operations,
            appointments=appointments,
            policies=self._policies,
            settled=self._settled,
            copied=self._copied,
            mailbox=self._person.moments[-1].ids,
            frozen=self.frozen,
            waiting=answers.keys,
        )
        problems += facts.judge()
        problems += self._minutes(events, copies, answers)
        problems += check_hours(
            events,
            appointments,
            copies,
            facts.living,
            await self._unsure(events) | facts.locked_keys,
        )
        touched = {row["source_key"] for row in events if row["archive_key"] in self._person.touched}
        problems += check_reasons(events, appointments, facts.reasons, touched | facts.locked_keys)
        problems += accounts.check_doubled(copies, events)
        total = self._graph.counters.total
        if total.invitations_sent or total.updates_sent:
            problems.append(
                f"{total.invitations_sent} invitations and {total.updates_sent} updates were sent"
            )
        if any(row["state"] == "flagged" and row["source_key"] not in answers.keys for row in events):
            return Rest.WAITING
        return Rest.LEARNING if facts.missed else Rest.FOUND

    async def _unsure(self, rows: list[Row]) -> set[str]:
        """Keys of rows whose copy the owner changed, or about whose overlap they decided.

        The decisions are read once more: the last run may have changed the key of a member.
        """
        groups, members = await self._rows("overlap_groups ORDER BY opened_at, id", "overlap_members")
        touched = {row["source_key"] for row in rows if row["archive_key"] in self._person.touched}
        settled = (*self._settled, *deciding.settled(groups, members))
        return touched.union(deciding.outlasting(groups, members, rows), *(each.members for each in settled))

    async def _answers(self, rows: list[Row], copies: list[Json]) -> Answers:
        """What was asked and answered, told by the meetings that it was about."""
        items, events = await self._rows("action_items", "action_item_events")
        by_source = {
            item["id"]: meeting_of(item)
            for moment in self._person.moments
            for item in (*moment.source, *moment.elsewhere)
        }
        by_key = {archive_key_of(copy): meeting_of(copy) for copy in copies}
        by_row = {row["id"]: by_key.get(row["archive_key"], 0) for row in rows}
        answers, asked = Answers(), list[tuple[str, str]]()
        for item in items:
            ours = [event for event in events if event["item_id"] == item["id"]]
            about = {by_source.get(event["source_id"], 0) for event in ours}
            about |= {by_row.get(event["archived_event_id"], 0) for event in ours}
            answers.take(item, ours, about - {0})
            # A question that a stale read caused closes with the next run, unless somebody answers before.
            if item["question"] == "likely_same" and item["status"] == "open":
                old, new = (
                    [e["source_id"] for e in ours if e["side"] == side] for side in ("archived", "new")
                )
                asked += product(old, new)
        self.verdict.problems += needless(self._person.moments, asked)
        return answers

    def _minutes(self, rows: list[Row], copies: list[Json], answers: Answers) -> list[str]:
        """What the other oracle says, which looks at the calendars alone."""
        self._find_lost(copies)
        past = Past(
            moments=self._person.moments,
            meetings=self._person.may_count + answers.more,
            touched=self._person.touched_meetings,
            asked=answers.asked,
            asked_days=answers.days,
            series_asked=answers.series,
            superseded=answers.superseded,
            left_out={
                row["archive_key"]
                for row in rows
                for each in self._settled
                if row["source_key"] in each.members and row["source_key"] not in each.kept
            }
            # The copy of an event that vanished stays as decided (domain.md 5.9).
            | {
                row["archive_key"]
                for row in rows
                if row["state"] == "source_deleted" and not self.decided.get(row["source_key"], True)
            },
            decided=bool(self._settled),
            stood={copy_id: copy for copy_id, (_, copy) in self._stood.items()},
            # Where a run took the source as it is, its copies followed (domain.md 2.10).
            moved=() if self._person.replaced else self._moved,
            answered=answers.answered,
            more=answers.more,
            locked=[self.frozen.minutes] if self.frozen is not None else [],
        )
        minutes = Minutes(past, copies, self._policies)
        self.verdict.facts["minutes that count"] = minutes.counted
        return minutes.judge()

    async def nothing_more_written(self, requested: UUID | None) -> None:
        """Archiving again with nothing changed writes nothing. Owner edits are tried without result."""
        (operations,) = await self._rows("archive_operations")
        again = [
            o for o in operations if o["run_id"] == requested and o["state"] not in ("conflict", "locked")
        ]
        if again:
            self.verdict.problems.append(f"archiving again, unchanged, wrote {len(again)} times")
        self._tell(operations, {operation["archived_event_id"] for operation in again})
        self.verdict.rules = rule_counts.fired(*await self._rows(*rule_counts.TABLES))

    async def verified(self, verification_id: UUID | None, gone: set[str]) -> None:
        """A verification of everything that came to rest finds what its owner did by hand, nothing else.

        ``gone``: archive keys of copies that the owner deleted since the last run.
        """
        verifications, findings, rows = await self._rows(
            "verifications", "verification_findings ORDER BY starts_at, subject", "archived_events"
        )
        found = next((each for each in verifications if each["id"] == verification_id), None)
        ours = [each for each in findings if each["verification_id"] == verification_id]
        self.verdict.problems += check_verification(
            *(found, ours, rows, self._person.touched, gone), locked=self.frozen is not None
        )

    async def _rows(self, *tables: str) -> list[list[Row]]:
        return await accounts.rows_once_answered(self._observer, *tables)

    def _tell(self, operations: list[Row], rows: set[UUID]) -> None:
        """The story of some rows of the map."""
        shown = (
            "archived_event_id",
            "run_id",
            "action",
            "state",
            "revision",
            "previous_revision",
            "if_match",
        )
        for operation in sorted(
            operations, key=lambda o: (str(o["archived_event_id"]), o["first_sent_at"] or EPOCH)
        ):
            if operation["archived_event_id"] in rows:
                told = [str(operation[field])[:12] for field in shown]
                self.verdict.story.append(
                    f"{' '.join(told)} {operation['first_sent_at']} {operation['error_code']}"
                )

    def _keep_snapshots(self, runs: list[Row]) -> None:
        """The last plan of every planned run is what it was planned from."""
        for run in runs:
            if (
                run["planned_at"] is None
                or run["id"] in self._snapshots
                or (run["plan"] or {}).get("refused")
            ):
                continue
            attempts = [number for run_id, number in self._pages if run_id == run["id"]]
            if attempts:
                events = self._pages[run["id"], max(attempts)]
                self._snapshots[run["id"]] = Snapshot(
                    run["id"], run["window_start"], run["window_end"], events
                )
