"""Whether the process answers, and whether it can serve requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from shared.database.engine import Database
from shared.database.repositories.operation.schema import SchemaRepository
from shared.errors import AdminAssistantError, Unavailable
from shared.schemas.health import Check, Live, Ready
from shared.services.identity.tokens import TokenValidator

#: The time limit of one check, in seconds.
PATIENCE = 5.0


class HealthService:
    """Checks everything on which an answer depends."""

    def __init__(self, database: Database, tokens: TokenValidator, version: str, commit: str) -> None:
        self._database = database
        self._live = Live(version=version, commit=commit or None)
        self._tokens = tokens
        self._newest_revision = ""

    def live(self) -> Live:
        """The process answers, and identifies itself."""
        return self._live

    async def ready(self) -> Ready:
        """Check database, schema revision and token service, all at once. Never raises."""
        checks = await asyncio.gather(
            _check("database", self._database.ping),
            _check("schema", self._schema),
            _check("token_service", self._tokens.ready),
        )
        return Ready(
            status="ready" if all(check.ok for check in checks) else "not_ready", checks=tuple(checks)
        )

    async def _schema(self) -> None:
        """Raise Unavailable while the schema is older than the code requires.

        A newer schema is accepted. Migrations expand first, so the previous version works beside them, and a
        rollback finds its tables (design.md, Database). Revisions are numbers of equal length.
        """
        if not self._newest_revision:
            self._newest_revision = await asyncio.to_thread(_expected_revision)
        async with self._database.session() as session:
            found = await SchemaRepository(session).revision()
        if found is None or found < self._newest_revision:
            raise Unavailable(
                f"the database is at revision {found or 'none'}, the code expects {self._newest_revision}"
            )


def _expected_revision() -> str:
    # Alembic is heavy and only needed here.
    from shared.database.migrate import newest_revision

    return newest_revision()


async def _check(name: str, ask: Callable[[], Awaitable[None]]) -> Check:
    started = time.perf_counter()
    detail: str | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            await ask()
    except AdminAssistantError as error:
        detail = error.detail
    except TimeoutError:
        detail = f"no answer within {PATIENCE:.0f} s"
    except Exception as error:
        # The text of a library's error may name hosts and accounts, so only its kind is shown.
        detail = type(error).__name__
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return Check(name=name, ok=detail is None, milliseconds=milliseconds, reason=detail)
