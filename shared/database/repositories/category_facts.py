"""What the archive says of categories: added up, listed, and as history (domain.md 3.3 to 3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.base import Keyset
from shared.database.repositories.disclosure import configuration_closed, hidden_sql

# An event belongs to the range in which it starts, all-day by its local date (domain.md 2.2): that instant is
# in the map. Another's private events of a timesheet are left out: that they are in it tells of their words
# (6.3). Of an event that several configurations archive, one record counts: the default's, else the
# oldest configuration's that is not deleted.
_COUNTED = f"""
    WITH counted AS (
        SELECT DISTINCT ON (c.source_mailbox_id, e.source_key)
               a.id, a.configuration_id, a.subject, a.start_at, a.end_at, a.is_all_day, a.location,
               a.categories, a.organizer, a.attendees, a.show_as, a.sensitivity,
               NOT (a.is_cancelled OR a.is_declined) AS takes_place,
               {hidden_sql("a")} AS hidden, a.origin_mailbox_id,
               e.source_key, e.source_id, c.source_mailbox_id, c.source_calendar_id
          FROM unnest(CAST(:configurations AS uuid[]), CAST(:starts AS timestamptz[]),
                      CAST(:ends AS timestamptz[])) AS r(configuration_id, range_start, range_end)
          JOIN archive_configurations c ON c.id = r.configuration_id AND c.owner_id = :owner
          JOIN archived_events e ON e.configuration_id = r.configuration_id
                                AND e.start_at >= r.range_start AND e.start_at < r.range_end
          JOIN appointments a ON a.archived_event_id = e.id AND a.owner_id = :owner
         WHERE NOT ({hidden_sql("a")} AND c.purpose = 'timesheet')
         ORDER BY c.source_mailbox_id, e.source_key, c.deleted_at IS NOT NULL, NOT c.is_default,
                  c.created_at, c.id)
"""  # noqa: S608
_CONFIGURATIONS = text("""
    SELECT id, time_zone FROM archive_configurations
     WHERE owner_id = :owner AND (CAST(:only AS uuid) IS NULL OR id = :only)
       AND (open_until IS NULL OR open_until > now())
     ORDER BY created_at, id
""")
_HAS_HOURS = "takes_place AND NOT is_all_day AND show_as <> 'free'"
_GROUPS = text(f"""
    {_COUNTED}
    SELECT CASE WHEN hidden THEN '{{}}' ELSE categories END AS categories,
           CASE WHEN hidden THEN '' ELSE categories::text END AS label, hidden,
           count(*) FILTER (WHERE takes_place) AS events,
           count(*) FILTER (WHERE NOT takes_place) AS not_taken_place,
           count(*) FILTER (WHERE takes_place AND NOT ({_HAS_HOURS})) AS without_hours,
           COALESCE(sum(end_at - start_at) FILTER (WHERE {_HAS_HOURS}), interval '0') AS time
      FROM counted GROUP BY 1, 2, 3
""")  # noqa: S608
_EVENT = (
    "id, configuration_id, subject, start_at, end_at, is_all_day, location, categories, organizer, "
    "attendees, sensitivity, hidden, origin_mailbox_id, source_key, source_id, source_mailbox_id, "
    "source_calendar_id"
)
_PAGE = text(f"""
    {_COUNTED}
    SELECT {_EVENT} FROM counted
     WHERE takes_place
       AND CASE WHEN hidden THEN :hidden ELSE categories::text = ANY(CAST(:labels AS text[])) END
       AND (start_at, id) > (:after, :after_id)
     ORDER BY start_at, id LIMIT :limit
""")  # noqa: S608
_BY_IDS = text(f"""
    SELECT a.id, a.configuration_id, a.subject, a.start_at, a.end_at, a.is_all_day, a.location, a.categories,
           a.organizer, a.attendees, a.sensitivity, {hidden_sql("a")} AS hidden, a.origin_mailbox_id,
           e.source_key, e.source_id, c.source_mailbox_id, c.source_calendar_id
      FROM appointments a
      JOIN archived_events e ON e.id = a.archived_event_id
      JOIN archive_configurations c ON c.id = a.configuration_id
     WHERE a.owner_id = :owner AND a.id = ANY(CAST(:ids AS uuid[])) AND NOT {configuration_closed("a")}
     ORDER BY a.start_at, a.id
""")  # noqa: S608
# Folded by PostgreSQL on both sides: what is read in vain is told apart again by those who read it.
_HISTORY = text(f"""
    WITH wanted AS (
        SELECT CAST(:series AS text[]) AS series,
               ARRAY(SELECT lower(btrim(t)) FROM unnest(CAST(:subjects AS text[])) AS t) AS subjects,
               ARRAY(SELECT lower(btrim(t)) FROM unnest(CAST(:locations AS text[])) AS t) AS locations,
               CAST(:domains AS text[]) AS domains),
    past AS (
        SELECT DISTINCT ON (c.source_mailbox_id, e.source_key)
               a.subject, a.location, a.categories, a.start_at, e.source_key, people.addresses
          FROM wanted w
          JOIN appointments a ON a.owner_id = :owner
          JOIN archived_events e ON e.id = a.archived_event_id
          JOIN archive_configurations c ON c.id = a.configuration_id
          CROSS JOIN LATERAL (
              SELECT COALESCE(array_agg(DISTINCT lower(p ->> 'address')), '{{}}') AS addresses
                FROM jsonb_array_elements(COALESCE(a.attendees, '[]') || COALESCE(a.organizer, '[]')) AS p
               WHERE p ->> 'address' LIKE '%@%') AS people
         WHERE cardinality(a.categories) > 0 AND NOT a.is_cancelled AND NOT a.is_declined
           AND NOT {hidden_sql("a")} AND NOT {configuration_closed("a")}
           AND ((e.source_key LIKE 'o:%' AND split_part(e.source_key, ':', 2) = ANY(w.series))
                OR lower(btrim(a.subject)) = ANY(w.subjects)
                OR lower(btrim(a.location)) = ANY(w.locations)
                OR EXISTS (SELECT FROM unnest(people.addresses) AS address
                            WHERE split_part(address, '@', 2) = ANY(w.domains)))
         ORDER BY c.source_mailbox_id, e.source_key, c.deleted_at IS NOT NULL, NOT c.is_default,
                  c.created_at, c.id)
    SELECT * FROM past ORDER BY start_at DESC, source_key LIMIT :limit
""")  # noqa: S608
_USED = text(f"""
    SELECT DISTINCT category FROM appointments a, unnest(a.categories) AS category
     WHERE a.owner_id = :owner AND NOT a.is_cancelled AND NOT a.is_declined
       AND NOT {hidden_sql("a")} AND NOT {configuration_closed("a")}
     ORDER BY category LIMIT :limit
""")  # noqa: S608
#: Before everything: where a list begins.
_FIRST: Keyset = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class ConfigurationRange:
    """The half-open range of one configuration, UTC; local days differ by its zone."""

    configuration_id: UUID
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class View:
    """Whose archive over which ranges. Private events of all but the ``viewer`` (object id) are hidden."""

    owner_id: UUID
    viewer: UUID | None
    ranges: tuple[ConfigurationRange, ...]

    def parameters(self) -> dict[str, Any]:
        """For the statements."""
        return {
            "owner": self.owner_id,
            "viewer": self.viewer,
            "configurations": [each.configuration_id for each in self.ranges],
            "starts": [each.start for each in self.ranges],
            "ends": [each.end for each in self.ranges],
        }


@dataclass(frozen=True, slots=True)
class CategoryGroup:
    """Events with the very same categories, added up.

    ``time`` is that of those that take it: neither all-day nor free; ``without_hours`` are the others.
    ``not_taken_place`` were cancelled or declined and are in no other number. ``label`` names the group.
    """

    categories: tuple[str, ...]
    label: str
    hidden: bool
    events: int
    without_hours: int
    not_taken_place: int
    time: timedelta


@dataclass(frozen=True, slots=True)
class CategorisedEvent:
    """One archived event without its body; of a ``hidden`` one only the times may be shown (6.3)."""

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
    #: False for one that is read from its calendar: ``id`` is then no appointment's.
    archived: bool = True


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of the past with categories."""

    subject: str
    location: str
    categories: tuple[str, ...]
    start_at: datetime
    source_key: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryWish:
    """What past events must have one of, as typed; domains and ids of series as they are compared."""

    series: Sequence[str] = ()
    subjects: Sequence[str] = ()
    locations: Sequence[str] = ()
    domains: Sequence[str] = ()


class CategoryFactsRepository:
    """Reads appointments, the map and configurations of one owner, never a body."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def configurations(self, owner_id: UUID, only: UUID | None = None) -> list[tuple[UUID, str]]:
        """The owner's configurations, deleted ones too (their record stays), each with its time zone."""
        rows = await self._session.execute(_CONFIGURATIONS, {"owner": owner_id, "only": only})
        return [(row.id, row.time_zone) for row in rows]

    async def groups(self, view: View) -> list[CategoryGroup]:
        """The events of the view, added up by their categories."""
        rows = await self._session.execute(_GROUPS, view.parameters())
        return [CategoryGroup(**{**row, "categories": tuple(row["categories"])}) for row in rows.mappings()]

    async def page(
        self, view: View, labels: Sequence[str], after: Keyset | None, limit: int, *, hidden: bool
    ) -> list[CategorisedEvent]:
        """Events that took place and are of the groups of these labels, and with ``hidden`` all hidden ones.

        By start; ``after`` is (start_at, id).
        """
        instant, row_id = after or _FIRST
        rows = await self._session.execute(
            _PAGE,
            {
                **view.parameters(),
                "labels": list(labels),
                "hidden": hidden,
                "after": instant,
                "after_id": row_id,
                "limit": limit,
            },
        )
        return [_event(row) for row in rows.mappings()]

    async def get(
        self, owner_id: UUID, ids: Sequence[UUID], *, viewer: UUID | None
    ) -> list[CategorisedEvent]:
        """The owner's events by id, by start; those that are not his are missing."""
        rows = await self._session.execute(_BY_IDS, {"owner": owner_id, "ids": list(ids), "viewer": viewer})
        return [_event(row) for row in rows.mappings()]

    async def history(
        self, owner_id: UUID, wish: HistoryWish, limit: int, *, viewer: UUID | None
    ) -> list[PastEvent]:
        """The latest events with categories that have something of the wish, without hidden ones."""
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

    async def used(self, owner_id: UUID, limit: int, *, viewer: UUID | None) -> list[str]:
        """The different categories of the owner's archive, as typed, in order; at most ``limit``."""
        rows = await self._session.execute(_USED, {"owner": owner_id, "limit": limit, "viewer": viewer})
        return [row.category for row in rows]


def _event(row: RowMapping) -> CategorisedEvent:
    people = [*(row["attendees"] or ()), *([row["organizer"]] if row["organizer"] else ())]
    values = {name: row[name] for name in row if name not in ("attendees", "organizer")}
    values["categories"] = tuple(row["categories"])
    return CategorisedEvent(**values, addresses=tuple(person.get("address") or "" for person in people))
