"""The audit of one tenant: its writer, its readers and its sealer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from infra.local.graph_simulator import GraphSimulator
from shared import telemetry
from shared.application import Application, use_application
from shared.clock import SystemClock
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.schemas.audit import AuditEntryResource, AuditListQuery, AuditVerification, AuditVerificationQuery
from shared.services.audit.anchors import AuditAnchors
from shared.services.audit.recording import AuditWriter
from shared.services.audit.sealing import AuditSealer
from shared.services.audit.trail import AuditTrail
from shared.services.audit.verification import AuditVerifier
from shared.services.person_keys.keys import PersonKeys
from shared.services.person_keys.stores import FolderKeyStore
from shared.settings import Settings
from shared.storage import FolderStorage
from tests.integration.api.caller import Caller as Client
from tests.integration.api.conftest import on_simulator, people, simulator  # noqa: F401 - fixtures
from tests.support.factories import TENANT, Factory


@dataclass
class Audit:
    """What a test does with the audit."""

    database: Database
    keys: PersonKeys
    storage: FolderStorage
    clock: SystemClock = field(default_factory=SystemClock)
    auditor: Caller = field(default_factory=lambda: Caller.user(TENANT, uuid4(), [Role.AUDITOR]))

    def __post_init__(self) -> None:
        self.writer = AuditWriter(self.clock, self.keys)
        self.anchors = AuditAnchors(self.storage)
        self.trail = AuditTrail(self.database, self.keys)
        self.sealer = AuditSealer(self.database, self.clock, self.anchors)
        self.verifier = AuditVerifier(self.database, self.clock, self.anchors)

    async def person(self) -> tuple[UUID, Caller]:
        """A user of the tenant: our id of the person, and the person as a caller."""
        async with self.database.session() as session:
            user = await Factory(session).user()
        return user.id, Caller.user(TENANT, user.object_id)

    async def write(
        self,
        person: UUID | None = None,
        changes: dict[str, Any] | None = None,
        *,
        caller: Caller | None = None,
        rows: int = 1,
        **columns: Any,
    ) -> None:
        """Commit rows in one transaction, by default of the system."""
        with telemetry.bind(caller=caller or Caller.system(TENANT, "test"), correlation="test"):
            async with self.database.session() as session:
                for _ in range(rows):
                    await self.writer.record(
                        session,
                        **{
                            "action": "user.changed",
                            "resource_type": "user",
                            "resource_id": str(person or "1"),
                            "outcome": "success",
                            "changes": changes or {},
                            "on_behalf_of": person,
                        }
                        | columns,
                    )

    async def read(self, caller: Caller | None = None, **query: Any) -> list[AuditEntryResource]:
        """What a caller finds, by default the auditor."""
        return list((await self.trail.search(caller or self.auditor, AuditListQuery(**query))).rows)

    async def verify(self, **query: Any) -> AuditVerification:
        """What the auditor is told about the chain."""
        return await self.verifier.verify(self.auditor, AuditVerificationQuery(**query))

    async def stored(self) -> str:
        """All that the database holds of the changes."""
        async with self.database.session() as session:
            rows = await session.execute(text("SELECT changes::text FROM audit_entries"))
            return "\n".join(rows.scalars())

    async def positions(self) -> list[int]:
        """The sealed positions of the tenant."""
        async with self.database.session() as session:
            rows = await session.execute(
                text("SELECT position FROM audit_seals WHERE tenant_id = :tenant ORDER BY position"),
                {"tenant": TENANT},
            )
            return list(rows.scalars())


@pytest.fixture
async def audit(database: Database, tmp_path: Path) -> AsyncIterator[Audit]:
    keys = PersonKeys(FolderKeyStore(tmp_path / "keys"), SystemClock())
    yield Audit(database, keys, FolderStorage(tmp_path / "storage"))
    await keys.close()


@pytest.fixture
async def api(
    simulator: GraphSimulator,  # noqa: F811 - the fixture
    database: Database,
    settings: Settings,
    tmp_path: Path,
) -> AsyncIterator[Client]:
    """A client of the whole app, with keys in the folder that ``audit`` uses too."""
    url = settings.database_url.get_secret_value()
    app = Application(
        Foundations(
            on_simulator(simulator, database_url=url, person_key_store=str(tmp_path / "keys")),
            database=database,
        )
    )
    before = use_application(app)
    yield Client(simulator, app)
    use_application(before)
    await app.close()
