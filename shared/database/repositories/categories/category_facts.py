"""Category facts of the archive: totals, lists and history (domain.md 3.3 to 3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.counting import precedence_sql, why_not_sql
from shared.database.repositories.identity.disclosure import configuration_closed, hidden_sql
from shared.domain.appointments.counting import WITHOUT_HOURS, WhyNot
from shared.domain.categories.statistics import CountedEvent
from shared.domain.events.revision import EDITED
from shared.domain.events.source_identity import common_keys

# An event belongs to the range in which it starts, all-day by its local date (domain.md 2.2). The map has
# that instant. One source event in several archives is one row (2.18). Rows of one archive are never merged:
# the n-th rows of each archive are paired, counting rows first. In a pair, the owner's decision or edit
# outranks modifications, which outrank the source. Then the default archive wins, then the oldest active one.
# Another person's private events of a timesheet are left out, because their presence reveals their words
# (6.3). Of other private events only the times are returned, as if they took place.
_RANGES = """
    unnest(CAST(:configurations AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
        AS r(configuration_id, range_start, range_end)
    JOIN archive_configurations c ON c.id = r.configuration_id AND c.owner_id = :owner
    JOIN archived_events e ON e.configuration_id = r.configuration_id AND e.owner_id = :owner
                          AND e.start_at >= r.range_start AND e.start_at < r.range_end"""
_CHAINS = text(f"""
    SELECT e.former_keys || e.source_key ||
           CASE WHEN e.state = 'merged' AND e.merged_into IS NOT NULL THEN ARRAY[e.merged_into]
                ELSE '{{}}' END AS keys
      FROM {_RANGES} WHERE e.former_keys <> '{{}}' OR e.state = 'merged'
""")  # noqa: S608
_CHAINS_OF_OWNER = text("""
    SELECT former_keys || source_key AS keys FROM archived_events
     WHERE owner_id = :owner AND former_keys <> '{}'
""")
_COMMON = "unnest(CAST(:keys AS text[]), CAST(:common AS text[])) AS k(key, common)"
_RANKED = f"""
    {precedence_sql("why_not", "edited")}, NOT modified,
    is_deleted, NOT is_default, configured_at, configuration_id"""
_HIDDEN = f"""
    CASE WHEN a.id IS NULL
         THEN CAST(:viewer AS uuid) IS NULL OR e.origin_mailbox_id IS DISTINCT FROM CAST(:viewer AS uuid)
         ELSE {hidden_sql("a")} END"""
_ENTRY = f"""
    {_HIDDEN} AS hidden, a.origin_mailbox_id,
    COALESCE(k.common, e.source_key) AS identity, {why_not_sql("a", "e", "a.id IS NOT NULL")} AS why_not,
    position('{EDITED}' IN e.revision) > 0 AS edited, COALESCE(a.modifications, '[]') <> '[]' AS modified,
    c.deleted_at IS NOT NULL AS is_deleted, c.is_default, c.created_at AS configured_at,
    a.id, e.configuration_id, a.subject, a.start_at, a.end_at, a.is_all_day, a.location, a.categories,
    a.organizer, a.attendees, a.sensitivity, a.source_deleted_at, e.start_at AS owning_start,
    e.source_key, e.source_id, c.source_mailbox_id, c.source_calendar_id"""
_EVENT = (
    "id, configuration_id, subject, start_at, end_at, is_all_day, location, categories, organizer, "
    "attendees, sensitivity, hidden, origin_mailbox_id, source_key, source_id, source_mailbox_id, "
    "source_calendar_id"
)
COUNTED_SQL = f"""
    WITH entries AS (
        SELECT {_ENTRY} FROM {_RANGES}
          LEFT JOIN appointments a ON a.archived_event_id = e.id AND a.owner_id = :owner
          LEFT JOIN {_COMMON} ON k.key = e.source_key
         WHERE NOT (c.purpose = 'timesheet' AND {_HIDDEN})),
    numbered AS (
        SELECT *, row_number() OVER (PARTITION BY configuration_id, identity
                                         ORDER BY why_not IS NOT NULL, owning_start, source_key) AS place
          FROM entries),
    chosen AS (
        SELECT DISTINCT ON (source_mailbox_id, identity, place) *
          FROM numbered ORDER BY source_mailbox_id, identity, place, {_RANKED}),
    counted AS (
        SELECT {_EVENT}, source_deleted_at,
               CASE WHEN NOT hidden THEN why_not WHEN is_all_day THEN 'all_day' END AS why_not
          FROM chosen WHERE id IS NOT NULL OR NOT hidden)
"""  # noqa: S608
_CONFIGURATIONS = text("""
    SELECT id, time_zone FROM archive_configurations
     WHERE owner_id = :owner AND (CAST(:only AS uuid) IS NULL OR id = :only)
       AND (open_until IS NULL OR open_until > now())
     ORDER BY deleted_at IS NOT NULL, NOT is_default, created_at, id
""")
_GROUPS = text(f"""
    {COUNTED_SQL}
    SELECT CASE WHEN hidden OR id IS NULL THEN '{{}}' ELSE categories END AS categories,
           CASE WHEN hidden OR id IS NULL THEN '' ELSE categories::text END AS label, hidden, why_not,
           count(*) AS events,
           array_agg(start_at) FILTER (WHERE why_not IS NULL) AS starts,
           array_agg(end_at) FILTER (WHERE why_not IS NULL) AS ends,
           array_agg(source_deleted_at IS NOT NULL) FILTER (WHERE why_not IS NULL) AS gone
      FROM counted GROUP BY 1, 2, 3, 4
""")  # noqa: S608
_PAGE = text(f"""
    {COUNTED_SQL},
    listed AS (
        SELECT {_EVENT}, why_not,
               CASE WHEN NOT hidden AND categories::text = ANY(CAST(:first AS text[])) THEN 0
                    ELSE 1 END AS rank
          FROM counted
         WHERE (why_not IS NULL OR why_not = ANY(CAST(:without_hours AS text[])))
           AND CASE WHEN hidden THEN :hidden
                    ELSE categories::text = ANY(CAST(:labels AS text[]))
                      OR (why_not IS NOT NULL AND categories::text = ANY(CAST(:idle AS text[]))) END)
    SELECT * FROM listed WHERE (rank, start_at, id) > (:after_rank, :after, :after_id)
     ORDER BY rank, start_at, id LIMIT :limit
""")  # noqa: S608
_BY_IDS = text(f"""
    WITH entries AS (
        SELECT {_ENTRY}
          FROM appointments a
          JOIN archived_events e ON e.id = a.archived_event_id
          JOIN archive_configurations c ON c.id = a.configuration_id
          LEFT JOIN {_COMMON} ON k.key = e.source_key
         WHERE a.owner_id = :owner AND a.id = ANY(CAST(:ids AS uuid[]))
           AND NOT {configuration_closed("a")})
    SELECT {_EVENT}, why_not FROM entries ORDER BY start_at, id
""")  # noqa: S608
# PostgreSQL folds both sides. Readers remove rows that match only by folding.
_HISTORY = text(f"""
    WITH wanted AS (
        SELECT CAST(:series AS text[]) AS series,
               ARRAY(SELECT lower(btrim(t)) FROM unnest(CAST(:subjects AS text[])) AS t) AS subjects,
               ARRAY(SELECT lower(btrim(t)) FROM unnest(CAST(:locations AS text[])) AS t) AS locations,
               CAST(:domains AS text[]) AS domains),
    entries AS (
        SELECT {_ENTRY}, people.addresses
          FROM wanted w
          JOIN appointments a ON a.owner_id = :owner
          JOIN archived_events e ON e.id = a.archived_event_id
          JOIN archive_configurations c ON c.id = a.configuration_id
          LEFT JOIN {_COMMON} ON k.key = e.source_key
          CROSS JOIN LATERAL (
              SELECT COALESCE(array_agg(DISTINCT lower(p ->> 'address')), '{{}}') AS addresses
                FROM jsonb_array_elements(COALESCE(a.attendees, '[]') || COALESCE(a.organizer, '[]')) AS p
               WHERE p ->> 'address' LIKE '%@%') AS people
         WHERE cardinality(a.categories) > 0 AND NOT {hidden_sql("a")} AND NOT {configuration_closed("a")}
           AND ((e.source_key LIKE 'o:%' AND split_part(e.source_key, ':', 2) = ANY(w.series))
                OR lower(btrim(a.subject)) = ANY(w.subjects)
                OR lower(btrim(a.location)) = ANY(w.locations)
                OR EXISTS (SELECT FROM unnest(people.addresses) AS address
                            WHERE split_part(address, '@', 2) = ANY(w.domains)))),
    numbered AS (
        SELECT *, row_number() OVER (PARTITION BY configuration_id, identity
                                         ORDER BY why_not IS NOT NULL, owning_start, source_key) AS place
          FROM entries),
    past AS (
        SELECT DISTINCT ON (source_mailbox_id, identity, place) *
          FROM numbered ORDER BY source_mailbox_id, identity, place, {_RANKED})
    SELECT subject, location, categories, start_at, source_key, addresses FROM past
     WHERE why_not IS NULL ORDER BY start_at DESC, source_key LIMIT :limit
""")  # noqa: S608
_USED = text(f"""
    SELECT DISTINCT category FROM appointments a, unnest(a.categories) AS category
     WHERE a.owner_id = :owner AND NOT a.is_cancelled AND NOT a.is_declined
       AND NOT {hidden_sql("a")} AND NOT {configuration_closed("a")}
     ORDER BY category LIMIT :limit
""")  # noqa: S608
#: The end of a page of ranked events: rank (0 or 1), start and id of its last row.
type RankedKeyset = tuple[int, datetime, UUID]
#: Before everything: the beginning of a list.
_FIRST: RankedKeyset = (0, datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class ConfigurationRange:
    """The half-open range of one configuration, UTC. Its zone decides its local days."""

    configuration_id: UUID
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class View:
    """An archive and its ranges. Private events are hidden from everyone except ``viewer`` (object id)."""

    owner_id: UUID
    viewer: UUID | None
    ranges: tuple[ConfigurationRange, ...]

    def parameters(self) -> dict[str, object]:
        """The parameters of the statements."""
        return {
            "owner": self.owner_id,
            "viewer": self.viewer,
            "configurations": [each.configuration_id for each in self.ranges],
            "starts": [each.start for each in self.ranges],
            "ends": [each.end for each in self.ranges],
        }


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events with the same categories and the same verdict (domain.md 2.18)."""

    categories: tuple[str, ...]
    #: Names the categories.
    label: str
    #: Only the times may be shown (6.3).
    hidden: bool
    #: Why the events do not count.
    why_not: WhyNot | None
    events: int
    #: The intervals, if the events count.
    counted: tuple[CountedEvent, ...]

    @property
    def needs_category(self) -> bool:
        """Whether the events took place and are in the archive, with or without hours."""
        return self.why_not is None or self.why_not in WITHOUT_HOURS


@dataclass(frozen=True, slots=True)
class CategorisedEvent:
    """One archived event without its body. Of a ``hidden`` one, only the times may be shown (6.3)."""

    id: UUID
    configuration_id: UUID
    subject: str
    start_at: datetime
    end_at: datetime
    is_all_day: bool
    location: str
    categories: tuple[str, ...]
    addresses: tuple[str, ...]
    sensitivity: str
    hidden: bool
    origin_mailbox_id: UUID | None
    source_key: str
    source_id: str
    source_mailbox_id: UUID
    source_calendar_id: str
    why_not: WhyNot | None = None
    rank: int = 1
    #: False if it was read from its calendar. Then ``id`` is no appointment's.
    archived: bool = True


@dataclass(frozen=True, slots=True)
class PastEvent:
    """A past event with categories."""

    subject: str
    location: str
    categories: tuple[str, ...]
    start_at: datetime
    source_key: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryWish:
    """Traits of which past events need at least one. Domains and series ids in comparison form."""

    series: Sequence[str] = ()
    subjects: Sequence[str] = ()
    locations: Sequence[str] = ()
    domains: Sequence[str] = ()


class CategoryFactsRepository:
    """Reads appointments, the map and configurations of one owner. It never reads a body."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def configurations(self, owner_id: UUID, only: UUID | None = None) -> list[tuple[UUID, str]]:
        """The owner's configurations with their time zones, also deleted ones, whose record stays."""
        rows = await self._session.execute(_CONFIGURATIONS, {"owner": owner_id, "only": only})
        return [(row.id, row.time_zone) for row in rows]

    async def groups(self, view: View) -> list[EventGroup]:
        """The events of the view by categories and verdicts, including those without an appointment."""
        rows = await self._session.execute(_GROUPS, await self.parameters(view))
        return [_group(row) for row in rows]

    async def page(
        self,
        view: View,
        labels: Sequence[str],
        after: RankedKeyset | None,
        limit: int,
        *,
        hidden: bool,
        first: Sequence[str] = (),
        idle: Sequence[str] = (),
    ) -> list[CategorisedEvent]:
        """Events that took place, in the groups of these labels. With ``hidden``, also all hidden ones.

        In the groups of ``idle``, only those without hours. By start, but the groups of ``first`` come first.
        ``after`` is (rank, start_at, id).
        """
        rank, instant, row_id = after or _FIRST
        rows = await self._session.execute(
            _PAGE,
            {
                **await self.parameters(view),
                "labels": list(labels),
                "first": list(first),
                "idle": list(idle),
                "without_hours": sorted(WITHOUT_HOURS),
                "hidden": hidden,
                "after_rank": rank,
                "after": instant,
                "after_id": row_id,
                "limit": limit,
            },
        )
        return [_event(row) for row in rows.mappings()]

    async def get(
        self, owner_id: UUID, ids: Sequence[UUID], *, viewer: UUID | None
    ) -> list[CategorisedEvent]:
        """The owner's events by id, by start. Other owners' events are missing."""
        parameters = {"owner": owner_id, "ids": list(ids), "viewer": viewer, "keys": [], "common": []}
        rows = await self._session.execute(_BY_IDS, parameters)
        return [_event(row) for row in rows.mappings()]

    async def history(
        self, owner_id: UUID, wish: HistoryWish, limit: int, *, viewer: UUID | None
    ) -> list[PastEvent]:
        """The latest events that count and have categories and a wished trait, without hidden ones."""
        chains = await self._session.execute(_CHAINS_OF_OWNER, {"owner": owner_id})
        rows = await self._session.execute(
            _HISTORY,
            {
                "owner": owner_id,
                "viewer": viewer,
                "series": list(wish.series),
                "subjects": list(wish.subjects),
                "locations": list(wish.locations),
                "domains": list(wish.domains),
                "limit": limit,
                **_common(chains.scalars().all()),
            },
        )
        return [
            PastEvent(
                row.subject,
                row.location,
                tuple(row.categories),
                row.start_at,
                row.source_key,
                tuple(row.addresses),
            )
            for row in rows
        ]

    async def parameters(self, view: View) -> dict[str, object]:
        """The parameters of ``COUNTED_SQL``."""
        parameters = view.parameters()
        own = {name: value for name, value in parameters.items() if name != "viewer"}
        chains = await self._session.execute(_CHAINS, own)
        return parameters | _common(chains.scalars().all())

    async def used(self, owner_id: UUID, limit: int, *, viewer: UUID | None) -> list[str]:
        """The distinct categories of the owner's archive, as typed, in order. At most ``limit``."""
        rows = await self._session.execute(_USED, {"owner": owner_id, "limit": limit, "viewer": viewer})
        return [row.category for row in rows]


def _common(chains: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    common = common_keys(chains)
    return {"keys": list(common.keys()), "common": list(common.values())}


def _group(row: Row[Any]) -> EventGroup:
    times = zip(row.starts or (), row.ends or (), row.gone or (), strict=True)
    return EventGroup(
        categories=tuple(row.categories),
        label=row.label,
        hidden=row.hidden,
        why_not=None if row.why_not is None else WhyNot(row.why_not),
        events=row.events,
        counted=tuple(CountedEvent(start, end, gone) for start, end, gone in times),
    )


def _event(row: RowMapping) -> CategorisedEvent:
    people = [*(row["attendees"] or ()), *([row["organizer"]] if row["organizer"] else ())]
    values = {name: row[name] for name in row if name not in ("attendees", "organizer")}
    values["categories"] = tuple(row["categories"])
    values["why_not"] = None if row["why_not"] is None else WhyNot(row["why_not"])
    return CategorisedEvent(**values, addresses=tuple(person.get("address") or "" for person in people))
