"""Shared code of the repositories of whole rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import constraint_error
from shared.database.models.base import Base, Driven

#: The end of a page: sort instant and id of its last row.
type Keyset = tuple[datetime, UUID]
# The configuration of a lookup by key. Statistics do not know a new configuration, so the planner expects
# that it has no rows. It may choose an index that reads all of them for each key. For a subquery it expects
# an average number of rows, and chooses the index of the key.
OF_CONFIGURATION = "configuration_id = (SELECT CAST(:configuration AS uuid))"


class Repository:
    """Reads and writes in its caller's session. Never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def _insert(self, *rows: Base) -> None:
        """Write new rows now, so that a conflict is reported here and not in a later statement."""
        self._session.add_all(rows)
        try:
            await self._session.flush()
        except IntegrityError as error:
            refused = constraint_error(error)
            if refused is None:
                raise
            raise refused from error

    async def _insert_free[Row: Base](self, model: type[Row], rows: Sequence[Row]) -> list[Row]:
        """Write new rows in one statement, except those that conflict with existing ones. In any order."""
        names = [column.key for column in model.__mapper__.column_attrs]
        # A column that is None in all of them gets its default.
        named = [name for name in names if any(getattr(row, name) is not None for row in rows)]
        values = [{name: getattr(row, name) for name in named} for row in rows]
        statement = insert(model).on_conflict_do_nothing().returning(model)
        return list(await self._session.scalars(statement, values))

    async def _one[Row: Base](
        self, statement: Select[Row], parameters: Mapping[str, Any] | None = None, *, lock: bool = False
    ) -> Row | None:
        found = await self._session.execute(_locked(statement) if lock else statement, parameters)
        return found.scalar_one_or_none()

    async def _all[Row: Base](self, statement: Select[Row], *, lock: bool = False) -> list[Row]:
        return list((await self._session.execute(_locked(statement) if lock else statement)).scalars())


class DrivenRepository[Row: Driven](Repository):
    """Rows of one table, ``model``, whose work orchestrations carry out."""

    model: type[Row]

    async def set_dispatched(self, row_ids: Sequence[UUID], now: datetime) -> None:
        """Record that their orchestrations were started, or are alive."""
        await self._session.execute(
            update(self.model).where(self.model.id.in_(row_ids)).values(dispatched_at=now)
        )

    async def _to_drive(self, living: ColumnElement[bool], before: datetime, limit: int) -> list[UUID]:
        """The rows that were last checked before ``before``, the longest ago first."""
        checked = func.coalesce(self.model.dispatched_at, func.to_timestamp(0))
        statement = select(self.model.id).where(living, checked < before).order_by(checked, self.model.id)
        return list((await self._session.execute(statement.limit(limit))).scalars())


class ConfigurationScopedRepository:
    """Statements about one configuration of one owner, in its caller's session. Never commits."""

    def __init__(self, session: AsyncSession, owner_id: UUID, configuration_id: UUID) -> None:
        self._session = session
        self._scope = {"owner": owner_id, "configuration": configuration_id}


def _locked[Row](statement: Select[Row]) -> Select[Row]:
    """Lock the rows until the transaction ends, and read them again where the session knows them already."""
    return statement.with_for_update().execution_options(populate_existing=True)


def page[Row](
    statement: Select[Row],
    key: Sequence[Any],
    after: Keyset | None,
    limit: int,
    *,
    newest_first: bool = False,
) -> Select[Row]:
    """Order by the key (instant, id), start after ``after`` and stop at ``limit`` rows."""
    order: list[ColumnElement[Any]] = [column.desc() if newest_first else column.asc() for column in key]
    if after is not None:
        place = tuple_(*key)
        statement = statement.where(place < after if newest_first else place > after)
    return statement.order_by(*order).limit(limit)


def json_text(value: object) -> str:
    """A JSON parameter, such as rows for ``json_to_recordset``. Values with ``to_json`` take that form."""
    return orjson.dumps(value, default=lambda each: each.to_json()).decode()
