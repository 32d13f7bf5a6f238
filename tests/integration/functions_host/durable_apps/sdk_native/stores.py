"""Folders in place of Azure Blob Storage: for histories that are exported, and for large payloads."""

import uuid
from pathlib import Path
from typing import Any

from durabletask.payload.store import LargePayloadStorageOptions, PayloadStore

_PREFIX = "folder:"


class FolderWriter:
    """Writes each exported history as a file of its own."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def write(self, *, container: str, blob_name: str, payload: bytes, **more: Any) -> None:
        path = self._root / container / blob_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)


class FolderStore(PayloadStore):
    """Keeps each large payload as a file below the id of its instance."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    @property
    def options(self) -> LargePayloadStorageOptions:
        return LargePayloadStorageOptions()

    def upload(self, data: bytes, *, instance_id: str | None = None) -> str:
        name = f"{instance_id or 'none'}/{uuid.uuid4().hex}"
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return _PREFIX + name

    async def upload_async(self, data: bytes, *, instance_id: str | None = None) -> str:
        return self.upload(data, instance_id=instance_id)

    def download(self, token: str) -> bytes:
        return (self._root / token.removeprefix(_PREFIX)).read_bytes()

    async def download_async(self, token: str) -> bytes:
        return self.download(token)

    def is_known_token(self, value: str) -> bool:
        return value.startswith(_PREFIX)
