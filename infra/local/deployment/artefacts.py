"""Versioned packages, and the record of what was deployed where."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from infra.local.errors import LocalError
from infra.local.functions_host.durable.versioning import Versioning

#: Packages that a rollback can go back to.
KEPT = 10


@dataclass(frozen=True, slots=True)
class Artefact:
    """A package with what it says of itself (``build.json``)."""

    archive: Path
    sha256: str
    version: str
    commit: str
    #: The schema it was written for.
    schema_revision: str
    #: On the schema it was written for, code of this revision and later still works.
    minimum_schema_revision: str
    orchestration_versions: tuple[str, ...]

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.version} ({self.commit[:12]})"

    @classmethod
    def read(cls, archive: Path) -> "Artefact":
        """Raises LocalError for a file that is no package of ours."""
        try:
            with ZipFile(archive) as packed:
                told = json.loads(packed.read("build.json"))
            return cls(
                archive,
                hashlib.sha256(archive.read_bytes()).hexdigest(),
                told["version"],
                told["commit"],
                told["schema_revision"],
                told["minimum_schema_revision"],
                tuple(told["orchestration_versions"]),
            )
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise LocalError(f"{archive.name} is no package: {error}") from error


class Record:
    """What was deployed to one environment, oldest first, with the packages themselves; in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "deployments.json"
        self._served = folder / "served-since.json"

    def all(self) -> list[Artefact]:
        """At most ``KEPT`` deployments; the last is the one that runs."""
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [_artefact(entry["artefact"]) for entry in entries]

    def current(self) -> Artefact | None:
        """What runs."""
        deployed = self.all()
        return deployed[-1] if deployed else None

    def keep(self, artefact: Artefact) -> Artefact:
        """Copy the package into the folder, unless it is there; returns it as it lies there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{artefact.sha256[:16]}.zip"
        if not target.exists():
            shutil.copyfile(artefact.archive, target)
        return Artefact(**{**asdict(artefact), "archive": target})

    def migrated(self, artefact: Artefact) -> None:
        """Write down that its migrations ran, whether or not it will serve: they are never undone."""
        since = max(self.served_since(), artefact.minimum_schema_revision)
        self._served.write_text(json.dumps(since), encoding="utf-8")

    def served_since(self) -> str:
        """The oldest revision whose code the database serves, as far as migrations have told."""
        try:
            return str(json.loads(self._served.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return max((each.minimum_schema_revision for each in self.all()), default="")

    def files(self) -> list[Path]:
        """Everything that the record consists of, packages among it."""
        return sorted([*self._folder.glob("*.zip"), *self._folder.glob("*.json")])

    def add(self, artefact: Artefact) -> None:
        """Write down that it runs now; packages that nobody can go back to any more are deleted."""
        deployed = [*self.all(), artefact][-KEPT:]
        self._write(deployed)
        wanted = {each.archive for each in deployed}
        for path in self._folder.glob("*.zip"):
            if path not in wanted:
                path.unlink()

    def moved_here(self) -> None:
        """Let the record name the packages in this folder: it was written in another one."""
        deployed = [replace(each, archive=self._folder / each.archive.name) for each in self.all()]
        if deployed:
            self._write(deployed)

    def _write(self, deployed: Sequence[Artefact]) -> None:
        now = datetime.now(UTC).isoformat()
        entries = [
            {"at": now, "artefact": asdict(each) | {"archive": str(each.archive)}} for each in deployed
        ]
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(entries, indent=2), encoding="utf-8")
        written.replace(self._file)

    def find(self, wanted: str | None) -> Artefact:
        """The deployment before the current one, or the newest of that version or commit.

        Raises LocalError where there is none.
        """
        current = self.current()
        for artefact in reversed(self.all()[:-1]):
            if wanted is None and current is not None and artefact.sha256 != current.sha256:
                return artefact
            if wanted is not None and (artefact.version == wanted or artefact.commit.startswith(wanted)):
                return artefact
        raise LocalError(f"there is no deployment {wanted or 'before this one'} among the last {KEPT}")


def _artefact(entry: Mapping[str, object]) -> Artefact:
    versions = entry["orchestration_versions"]
    assert isinstance(versions, list)  # noqa: S101 - it comes out of our own file
    fields = {
        name: str(value) for name, value in entry.items() if name not in ("archive", "orchestration_versions")
    }
    return Artefact(archive=Path(str(entry["archive"])), orchestration_versions=tuple(versions), **fields)


def obstacles(
    wanted: Artefact, served_since: str, schema_revision: str, running_versions: Sequence[str]
) -> list[str]:
    """What prevents going back to an artefact. Empty if it is permitted.

    Migrations only go forward. Older code runs on the newer schema unless a migration removed what it needs.
    So the database serves code of ``served_since`` and later. Code continues orchestrations of its own
    version and of older ones (``CurrentOrOlder``), so none in flight may be newer.
    """
    found = []
    if wanted.schema_revision < served_since:
        found.append(
            f"it was written for schema {wanted.schema_revision}; "
            f"the database serves code of {served_since} and later"
        )
    if wanted.schema_revision > schema_revision:
        found.append(f"it needs schema {wanted.schema_revision}, the database is at {schema_revision}")
    known = [Versioning(default_version=each) for each in wanted.orchestration_versions]
    unknown = sorted(
        each for each in set(running_versions) if all(version.mismatch(each) for version in known)
    )
    if unknown:
        found.append(f"orchestrations of version {', '.join(unknown)} are in flight, which it does not know")
    return found
