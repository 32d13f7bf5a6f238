"""Logging in to PostgreSQL with an Entra token in place of a password."""

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.database import entra
from shared.database.engine import Database
from shared.database.entra import EntraPassword
from shared.errors import Unavailable
from tests.support.settings import make_settings


@dataclass
class Credential:
    """Hands out numbered tokens, as azure-identity would after each expiry."""

    scopes: list[str] = field(default_factory=list)
    closed: bool = False

    async def get_token(self, *scopes: str) -> Any:
        self.scopes.extend(scopes)
        return type("Token", (), {"token": f"token-{len(self.scopes)}"})()

    async def close(self) -> None:
        self.closed = True


class PasswordServer:
    """Speaks PostgreSQL just far enough to be told a password, then refuses it."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(b"R" + struct.pack("!ii", 8, 3))
        kind, length = struct.unpack("!ci", await reader.readexactly(5))
        assert kind == b"p"
        self.passwords.append((await reader.readexactly(length - 4)).rstrip(b"\0").decode())
        error = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"
        writer.write(b"E" + struct.pack("!i", len(error) + 4) + error)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> Credential:
    """The credential that the database is given."""
    credential = Credential()
    monkeypatch.setattr(EntraPassword, "create", lambda settings: EntraPassword(credential))
    return credential


async def test_every_connection_logs_in_with_a_token_of_its_own(credential: Credential) -> None:
    postgres = PasswordServer()
    server = await asyncio.start_server(postgres.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"postgresql://app@127.0.0.1:{port}/d"
    database = Database(make_settings(database_url=url, database_entra_auth=True))
    for _ in range(2):
        with pytest.raises(Unavailable, match="refuses this app's account"):
            await database.ping()
    await database.close()
    server.close()
    await server.wait_closed()
    assert postgres.passwords == ["token-1", "token-2"]
    assert credential.scopes == [entra.SCOPE] * 2
    assert credential.closed


async def test_the_managed_identity_is_the_one_that_is_named() -> None:
    for client_id in (None, "11111111-1111-4111-8111-111111111111"):
        settings = make_settings(managed_identity_client_id=client_id)
        async with EntraPassword.create(settings) as password:
            assert callable(password)
