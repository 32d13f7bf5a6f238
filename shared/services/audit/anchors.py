"""The latest end of each tenant's audit chain, stored outside the database (domain.md 7.1).

An attacker who cuts the end of the chain in the database cannot also cut it here.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from shared.errors import NotFound
from shared.storage import Storage

_LARGEST: Final = 1_024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position of a chain, and its hash as hexadecimal text."""

    position: int
    hash: str


class AuditAnchors:
    """One small file for each tenant. Without storage there are none."""

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage

    async def read(self, tenant_id: UUID) -> Anchor | None:
        """The tenant's anchor, or None. Raises Unavailable if storage does not answer.

        A file with invalid content counts as position 1 without a hash, which no chain matches.
        """
        if self._storage is None:
            return None
        try:
            found: Any = orjson.loads(await self._storage.read(_name(tenant_id), 0, _LARGEST))
            return Anchor(int(found["position"]), str(found["hash"]))
        except NotFound:
            return None
        except (KeyError, TypeError, ValueError):
            _log.exception("the audit anchor is damaged", extra={"tenant_id": str(tenant_id)})
            return Anchor(1, "")

    async def write(self, tenant_id: UUID, anchor: Anchor) -> None:
        """Replace the tenant's anchor. Raises Unavailable if storage does not answer."""
        if self._storage is not None:
            content = orjson.dumps({"position": anchor.position, "hash": anchor.hash})
            await self._storage.write(_name(tenant_id), _whole(content))


def _name(tenant_id: UUID) -> str:
    return f"audit-anchors/{tenant_id}.json"


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
