"""Whether the process answers, and whether it can serve."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from shared.database.engine import Database
from shared.database.repositories.operation.schema import SchemaRepository
from shared.errors import AdminAssistantError, Unavailable
from shared.schemas.health import Check, Live, Ready
from shared.services.identity.tokens import TokenValidator

#: Seconds that one check may take.
PATIENCE = 5.0


class HealthService:
    """Asks what an answer depends on."""

    def __init__(self, database: Database, tokens: TokenValidator, version: str, commit: str) -> None:
        self._database = database
        self._live = Live(version=version, commit=commit or None)
        self._tokens = tokens
        self._newest_revision = ""

    def live(self) -> Live:
        """The process answers, and says what it is."""
        return self._live

    async def ready(self) -> Ready:
        """Check database, schema revision and token service, all at once; never raises."""
        checks = await asyncio.gather(
            _check("database", self._database.ping),
            _check("schema", self._schema),
            _check("token_service", self._tokens.ready),
        )
        return Ready(
            status="ready" if all(check.ok for check in checks) else "not_ready", checks=tuple(checks)
        )

    async def _schema(self) -> None:
        """Raises Unavailable while the database is older than the code expects.

        A newer one is served: migrations expand first, so the version before goes on beside them and a
        rollback finds its tables (design.md, Database). Revisions are numbers of one length.
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
    # Alembic is heavy and needed for this alone.
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
        # The text of a library's error may name hosts and accounts: its kind is enough here.
        detail = type(error).__name__
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return Check(name=name, ok=detail is None, milliseconds=milliseconds, reason=detail)
