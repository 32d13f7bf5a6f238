"""A page as a plan reads it: events, and what is stored about them (domain.md 2.3)."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.revision import is_superseded, source_revision
from shared.domain.planning.candidate import KnownEvent
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState

_POINTING = (ArchivedEventState.MERGED, ArchivedEventState.CONSUMED)


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Events by key, in the order of the page, and what is stored about them."""

    reads: dict[str, ReadEvent]
    rows: dict[str, MapRow]
    #: The rows as planning sees them.
    known: dict[str, KnownEvent]
    #: Keys whose rows say only that a plan met their events: nothing is written or decided.
    bare: frozenset[str] = frozenset()


def known_event(row: MapRow, open_keys: Collection[str] = ()) -> KnownEvent | None:
    """A map row as planning sees it. None if the row says only that the event was met once.

    If a duplicate returns without a copy (it vanished, or its heir has the copy), it is decided again.
    ``open_keys`` have a write that is planned or sent.
    """
    if row.state is ArchivedEventState.SOURCE_DELETED and not row.had_copy:
        return None
    return KnownEvent(
        source_key=row.source_key,
        state=row.state,
        revision=source_revision(row.revision),
        merged_into=row.merged_into if row.state in _POINTING else None,
        pending=row.pending_since is not None,
        has_copy=row.copy_id is not None,
        shown_free=row.state is ArchivedEventState.CONSUMED and is_superseded(row.revision),
        left_out=row.left_out,
        modifications=row.modifications,
        conflict_revision=row.conflict_revision,
        lost=row.lost_at is not None,
        under_way=row.pending_since is not None or row.source_key in open_keys,
    )
