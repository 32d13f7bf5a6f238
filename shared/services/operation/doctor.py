"""Examines the installation: each thing that the app needs, and the remedy for each fault (for Admins)."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import orjson

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.operation.schema import ConnectedRole, SchemaRepository
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError, Forbidden, NotFound
from shared.schemas.system import DoctorCheck, DoctorReport
from shared.services.identity.access import Access
from shared.settings import Settings

_log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
#: A clock that differs by some minutes makes tokens invalid. From here on, it is not synchronised.
CLOCK_MAY_DIFFER: Final = timedelta(seconds=30)
#: Application permissions at Graph that no scope at Exchange can replace (README.md).
_DIRECTORY_ROLES: Final = ("User.Read.All", "GroupMember.Read.All")
#: Granted by consent for the whole tenant, or for some mailboxes by RBAC for Applications. No token shows
#: which.
_MAILBOX_ROLES: Final = ("Calendars.ReadWrite", "MailboxSettings.ReadWrite")

type State = Literal["ok", "wrong", "unknown", "not_configured"]
type Examine = Callable[[], Awaitable["Finding"]]


class GraphTokens(Protocol):
    """The source of a token for Graph."""

    async def token(self) -> str:
        """A token for the app itself."""
        ...


class GraphTokensByTenant(Protocol):
    """The app's tokens of each tenant."""

    def in_tenant(self, tenant_id: UUID) -> GraphTokens:
        """The tokens of one tenant."""
        ...


class Health(Protocol):
    """Checks stores and the Durable backend."""

    async def probe_stores(self) -> Any:
        """The result. Raises any error."""
        ...

    async def probe_durable(self, client: Any) -> Any:
        """The result. Raises any error."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one examination."""

    state: State
    detail: str
    remedy: str | None = None


class Doctor:
    """Examines everything at once. Raises only for a caller who is not authorised."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        *,
        graph: GraphTokensByTenant,
        calendars: Calendars,
        health: Health,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._graph = graph
        self._calendars = calendars
        self._health = health

    async def examine(self, caller: Caller, durable: Any) -> DoctorReport:
        """The report, after at most ``PATIENCE`` seconds. Raises Forbidden outside the home tenant."""
        if caller.tenant_id != self._settings.tenant_id:
            raise Forbidden(
                "only Admins of the home tenant examine the installation", code="home_tenant_only"
            )
        await self._require_active(caller)
        examinations: dict[str, tuple[Examine, str]] = {
            "graph_consent": (lambda: self._consent(caller), _CONSENT),
            "mailbox_scope": (lambda: self._scope(caller), _SCOPE),
            "clock": (self._time, _DATABASE),
            "database_role": (self._role, _DATABASE),
            "database_schema": (self._schema, _DATABASE),
            "storage": (self._storage, _STORAGE),
            "durable": (lambda: self._durable(durable), _DURABLE),
            "webhook": (self._webhook, _WEBHOOK),
        }
        checks = await asyncio.gather(*(_examined(name, *each) for name, each in examinations.items()))
        return DoctorReport(
            ok=all(check.status in ("ok", "not_configured") for check in checks),
            checked_at=self._clock.now(),
            checks=tuple(checks),
        )

    async def _consent(self, caller: Caller) -> Finding:
        roles = _roles_of(await self._graph.in_tenant(caller.tenant_id).token())
        wanted = set(_DIRECTORY_ROLES)
        if self._settings.mail_sender:
            wanted.add("Mail.Send")
        if missing := sorted(wanted - roles):
            return Finding("wrong", f"the token lacks {', '.join(missing)}", _CONSENT)
        tenant_wide = sorted(set(_MAILBOX_ROLES) & roles)
        if tenant_wide:
            return Finding(
                "ok", f"consent is there; {', '.join(tenant_wide)} for every mailbox of the tenant"
            )
        return Finding("ok", "consent is there; mailboxes are given at Exchange, which no token tells")

    async def _scope(self, caller: Caller) -> Finding:
        if caller.object_id is None or caller.app_only:
            return Finding("unknown", "an app has no mailbox to try", "Ask as a person with a mailbox.")
        try:
            await self._calendars.in_tenant(caller.tenant_id).list_calendars(str(caller.object_id))
        except NotFound:
            return Finding("unknown", "the caller has no mailbox to try", "Ask as a person with a mailbox.")
        return Finding("ok", "the caller's own mailbox can be read")

    async def _time(self) -> Finding:
        before = self._clock.now()
        role = await self._connected()
        # The answer was on its way for a part of this time, so only the excess is a difference.
        passed = self._clock.now() - before
        apart = max(timedelta(0), abs(role.now - before) - passed)
        if apart > CLOCK_MAY_DIFFER:
            return Finding("wrong", f"app and database are {apart.total_seconds():.0f} s apart", _CLOCK)
        return Finding("ok", f"app and database are {apart.total_seconds():.1f} s apart")

    async def _role(self) -> Finding:
        role = await self._connected()
        if role.is_superuser or role.owns_tables:
            what = "is a superuser" if role.is_superuser else "owns the tables"
            return Finding("wrong", f"{role.name} {what}", _ROLE)
        return Finding("ok", f"the app is {role.name}")

    async def _schema(self) -> Finding:
        expected = await asyncio.to_thread(_expected_revision)
        async with self._database.session() as session:
            found = await SchemaRepository(session).revision()
        if found is None or found < expected:
            return Finding("wrong", f"the schema is {found or 'none'}, the code expects {expected}", _SCHEMA)
        newer = ", newer than the code" if found > expected else ""
        return Finding("ok", f"the schema is {found}{newer}")

    async def _storage(self) -> Finding:
        found = await self._health.probe_stores()
        if found.state == "not_configured":
            return Finding("not_configured", "no store is set", _STORAGE)
        return Finding("ok", "the stores answer")

    async def _durable(self, client: Any) -> Finding:
        found = await self._health.probe_durable(client)
        if found.state != "healthy":
            return Finding("wrong", str(found.detail), _DURABLE)
        return Finding("ok", "the Durable backend answers")

    async def _webhook(self) -> Finding:
        url = self._settings.public_url
        if not url:
            return Finding("not_configured", "no public address is set", _WEBHOOK)
        # The durable library has loaded aiohttp in any case.
        import aiohttp

        try:
            async with aiohttp.ClientSession() as client, client.get(f"{url}/health/live") as response:
                status = response.status
        except aiohttp.ClientError as error:
            return Finding("wrong", f"the public address does not answer: {type(error).__name__}", _WEBHOOK)
        if status != 200:
            return Finding("wrong", f"the public address answers {status}", _WEBHOOK)
        return Finding("ok", "the public address answers")

    async def _require_active(self, caller: Caller) -> None:
        """Raise Forbidden for a deactivated person, if the database can tell."""
        try:
            async with asyncio.timeout(PATIENCE), self._database.session() as session:
                await Access.of(session, caller)
        except (AdminAssistantError, TimeoutError) as error:
            if isinstance(error, AdminAssistantError) and error.status < 500:
                raise

    async def _connected(self) -> ConnectedRole:
        async with self._database.session() as session:
            return await SchemaRepository(session).role()


async def _examined(name: Any, examine: Examine, remedy: str) -> DoctorCheck:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await examine()
    except TimeoutError:
        found = Finding("unknown", f"no answer within {PATIENCE:.0f} s", remedy)
    except AdminAssistantError as error:
        found = Finding("wrong", error.title, remedy)
    except Exception as error:
        # A library's error may name hosts and accounts. The answer has its kind, the log all of it.
        _log.warning("an examination failed", extra={"examination": name}, exc_info=error)
        found = Finding("wrong", type(error).__name__, remedy)
    return DoctorCheck(name=name, status=found.state, detail=found.detail, remedy=found.remedy)


def _roles_of(token: str) -> set[str]:
    """The roles that Entra put in the token. Entra itself sent it, so its signature is not checked."""
    try:
        part = token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return set(claims.get("roles") or ())
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return set()


def _expected_revision() -> str:
    # Alembic is heavy and only needed here.
    from shared.database.migrate import newest_revision

    return newest_revision()


_CONSENT: Final = (
    "Run infra/azure/entra/setup.sh again, and let an administrator consent (docs/deployment.md, Consent)."
)
_SCOPE: Final = (
    "Add the mailbox to the management scope at Exchange (docs/deployment.md, Mailboxes). "
    "A change there takes up to two hours."
)
_DATABASE: Final = (
    "Look at the database server: is it up, does the app's network reach it, is the role app_user there?"
)
_CLOCK: Final = "Synchronise the clock of the machine. In Azure, open a support request."
_ROLE: Final = (
    "Connect as app_user, who owns nothing: set ADMIN_ASSISTANT_DATABASE_URL "
    "(docs/deployment.md, Database roles)."
)
_SCHEMA: Final = "Migrate: deploy again, or run python -m shared.database.migrate upgrade as app_owner."
_STORAGE: Final = (
    "Set ADMIN_ASSISTANT_STORAGE and ADMIN_ASSISTANT_PERSON_KEY_STORE, and give the app's identity "
    "Storage Blob Data Contributor on both containers."
)
_DURABLE: Final = (
    "Look at the scheduler: does it allow the app's network, has the app's identity the role "
    "Durable Task Data Contributor on the task hub?"
)
_WEBHOOK: Final = "Set ADMIN_ASSISTANT_PUBLIC_URL to https://<host>/api and let the internet reach it."
