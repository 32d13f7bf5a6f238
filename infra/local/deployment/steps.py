"""The steps: migrate, deploy to staging, validate, deploy to production, validate, watch, or roll back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from infra.local.api import Api
from infra.local.deployment.artefacts import Artefact, obstacles
from infra.local.deployment.target import Target
from infra.local.errors import LocalError

#: Answers of the new commit in a row after which the old one is taken to be gone.
IN_A_ROW = 20
_ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: until the list of functions stands, the commit is everywhere, the test run is over."""

    functions: float = 300
    watching: float = 600
    run: float = 600
    pause: float = 1.0


class Deployment:
    """Deploys one artefact to targets, in their order; each is validated before the next is touched."""

    def __init__(self, say: Callable[[str], None], patience: Patience | None = None) -> None:
        self._say = say
        self._patience = patience or Patience()

    async def run(self, artefact: Artefact, *targets: Target) -> None:
        """Raises LocalError when a target did not validate: it was rolled back, later ones are untouched."""
        for target in targets:
            kept = target.record.keep(artefact)
            before = target.record.current()
            self._say(f"{target.name}: migrating to {kept.schema_revision}")
            await target.migrate(kept)
            target.record.migrated(kept)
            try:
                await self._put(target, kept)
            except LocalError as failure:
                await self._back(target, before, kept, failure)
                raise
            target.record.add(kept)

    async def rollback(self, target: Target, wanted: str | None = None) -> Artefact:
        """Go back to a deployment; LocalError names what stands in the way, and nothing was changed."""
        current = target.record.current()
        if current is None:
            raise LocalError(f"nothing was deployed to {target.name}")
        artefact = target.record.find(wanted)
        revision, versions = await asyncio.gather(
            target.schema_revision(), target.running_orchestration_versions()
        )
        if found := obstacles(artefact, target.record.served_since(), revision, versions):
            raise LocalError(f"{target.name} cannot go back to {artefact.name}: {'; '.join(found)}")
        await self._put(target, artefact)
        target.record.add(artefact)
        return artefact

    async def validate(self, target: Target, artefact: Artefact) -> None:
        """Smoke, schema, functions, a run of a test mailbox; raises LocalError with what fails first."""
        self._say(f"{target.name}: validating")
        await self._until(lambda: self._functions_stand(target), self._patience.functions, "functions")
        await self._until(lambda: self._answers(target), self._patience.functions, "readiness")
        revision = await target.schema_revision()
        if revision < artefact.schema_revision:
            raise LocalError(f"{target.name}: the schema is {revision}, not {artefact.schema_revision}")
        if configuration := await target.test_configuration():
            await self._archive(target, configuration)

    async def watch(self, target: Target, artefact: Artefact) -> None:
        """Wait until the commit answers ``IN_A_ROW`` times; raises LocalError when it does not in time."""
        self._say(f"{target.name}: waiting for {artefact.name} to answer {IN_A_ROW} times in a row")
        in_a_row = 0

        async def told() -> str:
            nonlocal in_a_row
            commit = await self._commit(target)
            in_a_row = in_a_row + 1 if commit == artefact.commit else 0
            return "" if in_a_row >= IN_A_ROW else f"{commit or 'nothing'} answered last"

        await self._until(told, self._patience.watching, "the new commit", pause=self._patience.pause / 10)

    async def _put(self, target: Target, artefact: Artefact) -> None:
        self._say(f"{target.name}: deploying {artefact.name}")
        await target.deploy(artefact)
        await self.validate(target, artefact)
        await self.watch(target, artefact)

    async def _back(
        self, target: Target, before: Artefact | None, failed: Artefact, failure: LocalError
    ) -> None:
        self._say(f"{target.name}: {failure}")
        if before is None:
            self._say(f"{target.name}: nothing ran before, so there is nothing to go back to")
            return
        # Running orchestrations do not stop a rollback. Those of the failed version wait for a version that
        # can run them.
        if found := obstacles(before, target.record.served_since(), failed.schema_revision, []):
            self._say(f"{target.name}: not rolled back to {before.name}: {'; '.join(found)}")
            return
        self._say(f"{target.name}: rolling back to {before.name}")
        await target.deploy(before)
        await self.validate(target, before)
        await self.watch(target, before)

    async def _functions_stand(self, target: Target) -> str:
        names = await target.functions()
        if not names:
            # A deployment can succeed and leave none (functions-action 245, 277, 279).
            return "there are no functions"
        return "" if "dispatch" in names else "the timer dispatch is not among the functions"

    async def _answers(self, target: Target) -> str:
        for path in ("/api/health/live", "/api/health/ready", "/api/openapi.json"):
            try:
                response = await target.client.get(f"{target.base_url}{path}", timeout=30)
            except httpx.HTTPError as error:
                return f"{path}: {type(error).__name__}"
            if response.status_code != httpx.codes.OK:
                return f"{path} answered {response.status_code}"
        return ""

    async def _archive(self, target: Target, configuration: str) -> None:
        self._say(f"{target.name}: archiving the test mailbox")
        api = Api(target.client, f"{target.base_url}/api/v1", await target.admin_token())
        started = await api.request("POST", f"archive-configurations/{configuration}/runs", {})
        where = started.headers["Location"]
        state = ""

        async def ended() -> str:
            nonlocal state
            state = (await api.request("GET", where)).json()["status"]
            return "" if state in _ENDED else f"it is {state}"

        await self._until(ended, self._patience.run, "the test run")
        if state != "completed":
            raise LocalError(f"{target.name}: the run of the test mailbox ended as {state}")

    async def _commit(self, target: Target) -> str:
        try:
            response = await target.client.get(f"{target.base_url}/api/health/live", timeout=10)
            return str(response.json().get("commit") or "")
        except (httpx.HTTPError, ValueError):
            return ""

    async def _until(
        self, ask: Callable[[], Awaitable[str]], seconds: float, what: str, *, pause: float | None = None
    ) -> None:
        """Ask until nothing is missing; raises LocalError with what was missing last."""
        deadline = asyncio.get_running_loop().time() + seconds
        while missing := await ask():
            if asyncio.get_running_loop().time() > deadline:
                raise LocalError(f"{what} after {seconds:.0f} s: {missing}")
            await asyncio.sleep(self._patience.pause if pause is None else pause)
