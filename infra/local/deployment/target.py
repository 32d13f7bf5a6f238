"""What the steps of a deployment need of the place that is deployed to."""

from collections.abc import Sequence
from typing import Protocol

import httpx

from infra.local.deployment.artefacts import Artefact, Record


class Target(Protocol):
    """One environment: staging or production, in Azure or on this machine. Its methods raise LocalError."""

    name: str
    record: Record

    @property
    def base_url(self) -> str:
        """Root of the app, without a trailing slash."""
        ...

    @property
    def client(self) -> httpx.AsyncClient:
        """For requests to the app."""
        ...

    async def migrate(self, artefact: Artefact) -> str:
        """Bring the database to the artefact's schema, with the artefact's own code; returns the revision."""
        ...

    async def schema_revision(self) -> str:
        """Where the database is."""
        ...

    async def deploy(self, artefact: Artefact) -> None:
        """Put the artefact in the place of what runs."""
        ...

    async def functions(self) -> Sequence[str]:
        """Names of the functions that the host knows, after it was told to look."""
        ...

    async def running_orchestration_versions(self) -> Sequence[str]:
        """Versions that orchestrations in flight may have. Empty if none is in flight."""
        ...

    async def admin_token(self) -> str:
        """An access token of an Admin for the app."""
        ...

    async def test_configuration(self) -> str:
        """Id of an archive configuration of a test mailbox; empty where there is none."""
        ...
