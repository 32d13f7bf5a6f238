"""Orchestration versioning as `host.json` sets it (Durable Functions docs, "Orchestration versioning")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version


@dataclass(frozen=True)
class Versioning:
    """`defaultVersion`, `versionMatchStrategy` and `versionFailureStrategy` of `extensions.durableTask`."""

    default_version: str | None = None
    match: str = "currentorolder"
    fail_on_mismatch: bool = False

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Versioning":
        """Reads the options; without `defaultVersion` no instance is ever refused."""
        return cls(
            default_version=str(options["defaultVersion"]) if options.get("defaultVersion") else None,
            match=str(options.get("versionMatchStrategy") or "CurrentOrOlder").lower(),
            fail_on_mismatch=str(options.get("versionFailureStrategy") or "Reject").lower() == "fail",
        )

    def mismatch(self, version: str | None) -> str | None:
        """Why an instance of `version` may not run here, None if it may."""
        if self.default_version is None or self.match == "none":
            return None
        order = _compare(version or "", self.default_version)
        if self.match == "strict" and order != 0:
            return f"its version '{version or ''}' is not the app's, '{self.default_version}'"
        if self.match == "currentorolder" and order > 0:
            return f"its version '{version}' is newer than the app's, '{self.default_version}'"
        return None


def _compare(left: str, right: str) -> int:
    if not left or not right:
        return bool(left) - bool(right)
    try:
        first, second = Version(left), Version(right)
    except InvalidVersion:
        return (left > right) - (left < right)
    return (first > second) - (first < second)
