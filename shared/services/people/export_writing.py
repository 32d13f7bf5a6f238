"""Writes everything we store about a person into one zip archive, page by page (domain.md 15.2)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from shared.database.engine import Database
from shared.database.repositories.people.people import UserExportRepository
from shared.database.repositories.people.person_data import (
    DataSubject,
    HeldRow,
    Holding,
    PersonDataRepository,
    held_by_others,
    holdings,
)
from shared.errors import NotFound
from shared.services.people import export_files
from shared.services.people.zip_stream import ZipStream
from shared.services.person_keys.keys import PersonKey

#: Rows that are read in one transaction.
PAGE_ROWS: Final = 500
_FORMAT: Final = 1
#: The files of an export: one per table, the data of other owners, and the calendar.
FILES: Final = len(holdings()) + len(held_by_others()) + 1


class UserExportWriter:
    """Writes the archive of one person. ``rows`` counts the rows so far."""

    def __init__(
        self,
        database: Database,
        person: DataSubject,
        export_id: UUID,
        now: datetime,
        key: PersonKey | None,
        *,
        own: bool,
    ) -> None:
        self._database = database
        self._person = person
        self._export_id = export_id
        self._now = now
        self._key = key
        self._own = own
        self._counts: dict[str, int] = {}
        self.rows = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The archive in pieces."""
        with closing(ZipStream(self._now)) as archive:
            async for chunk in self._files(archive):
                yield chunk
            archive.close()
            yield archive.take()

    async def _files(self, archive: ZipStream) -> AsyncIterator[bytes]:
        files = [(export_files.file_name(each.name), each) for each in reversed(holdings())]
        files += held_by_others()
        for done, (name, holding) in enumerate(files):
            await self._progress(done)
            archive.begin(name)
            count = 0
            async for page in self._pages(holding):
                for row in page:
                    archive.write(self._line(holding, row))
                count += len(page)
                yield archive.take()
            archive.end()
            self._counts[name] = count
            self.rows += count
        await self._progress(len(files))
        async for chunk in self._calendar(archive):
            yield chunk
        archive.begin("manifest.json")
        archive.write(self._manifest())

    async def _calendar(self, archive: ZipStream) -> AsyncIterator[bytes]:
        appointments = next(each for each in holdings() if each.name == "appointments")
        archive.begin("appointments.ics")
        archive.write(export_files.CALENDAR_HEAD)
        async for page in self._pages(appointments):
            for row in page:
                archive.write(export_files.event(row))
            yield archive.take()
        archive.write(export_files.CALENDAR_TAIL)
        archive.end()

    def _manifest(self) -> bytes:
        facts = {
            "format": _FORMAT,
            "person": self._person.id,
            "made_at": self._now,
            "rows": self._counts,
        }
        return orjson.dumps(facts, default=str, option=orjson.OPT_INDENT_2)

    def _line(self, holding: Holding, row: HeldRow) -> bytes:
        return export_files.line(
            export_files.opened(row, self._key) if holding.name == "audit_entries" else row
        )

    def _shown(self, page: list[HeldRow]) -> list[HeldRow]:
        """The person's own rows. What they archived from another person's calendar is about that person."""
        origins = (None, self._person.object_id)
        own = [row for row in page if row.get("origin_mailbox_id") in origins]
        return own if self._own else [export_files.masked(row) for row in own]

    async def _pages(self, holding: Holding) -> AsyncIterator[list[HeldRow]]:
        after: Sequence[Any] | None = None
        while True:
            async with self._database.session() as session:
                page = await PersonDataRepository(session).page(holding, self._person, after, PAGE_ROWS)
            if not page:
                return
            yield self._shown(page)
            if len(page) < PAGE_ROWS:
                return
            after = [page[-1][column.name] for column in holding.table.primary_key.columns]
            # Compressing a page takes time, so other tasks get a turn.
            await asyncio.sleep(0)

    async def _progress(self, done: int) -> None:
        async with self._database.session() as session:
            wanted = await UserExportRepository(session).set_progress(self._export_id, done, self.rows)
        if not wanted:
            raise NotFound("there is no such export any more")
