"""Builds asyncpg's arguments from a URL and the settings: address, TLS, timeouts, server settings."""

import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote

from shared.settings import Settings

_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: libpq options that asyncpg does not support. Hosted databases put them into their URLs.
_IGNORED = {"channel_binding", "gssencmode", "sslnegotiation"}
_IDLE_IN_TRANSACTION_SECONDS = 120
#: The server ends a statement first. Our own timeout is only for a server that does not answer at all.
ANSWER_MARGIN_SECONDS = 10


#: SQLAlchemy's grammar: a password may contain any character except ``@``. SQLAlchemy itself would be loaded
#: for this alone (cold start).
_URL = re.compile(
    r"[\w+]+://"
    r"(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<address>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>\d*))?"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)


@dataclass(frozen=True, slots=True)
class _Url:
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: dict[str, str]


class DatabaseUrlError(ValueError):
    """The database URL cannot be used. The message never contains the password."""


def connect_arguments(settings: Settings, url: str, application_name: str) -> dict[str, Any]:
    """Keyword arguments of ``asyncpg.connect`` for the URL, without a password provider.

    ``sslmode`` in the URL decides TLS, with libpq's meaning. ``verify-*`` trusts the system's authorities
    unless ``sslrootcert`` names a file. Without ``sslmode``, TLS is required in production and, verified,
    when an Entra token is sent. It is never used on this machine. Raises :class:`DatabaseUrlError`.
    """
    parsed = _parsed(url)
    query = {key: value for key, value in parsed.query.items() if key not in _IGNORED}
    host = query.pop("host", None) or parsed.host
    mode, root = query.pop("ssl", None) or query.pop("sslmode", None), query.pop("sslrootcert", None)
    arguments: dict[str, Any] = {
        "host": host,
        "port": int(query.pop("port", 0)) or parsed.port,
        "user": parsed.user,
        "password": parsed.password,
        "database": parsed.database,
        "ssl": _tls(mode, root, host, settings),
        "timeout": float(query.pop("connect_timeout", 0)) or settings.database_connect_timeout,
        "command_timeout": settings.database_statement_timeout + ANSWER_MARGIN_SECONDS,
        "server_settings": _server_settings(settings, query.pop("application_name", application_name)),
    }
    if query:
        raise DatabaseUrlError(f"the database URL has parameters we do not know: {', '.join(sorted(query))}")
    return arguments


def _parsed(url: str) -> _Url:
    if not url:
        raise DatabaseUrlError("no database URL is set: ADMIN_ASSISTANT_DATABASE_URL or DATABASE_URL")
    found = _URL.fullmatch(url)
    if found is None:
        raise DatabaseUrlError("the database URL cannot be read")
    user, password, database = (
        unquote(part) if (part := found[name]) is not None else None
        for name in ("user", "password", "database")
    )
    return _Url(
        user=user,
        password=password,
        host=found["host"] or found["address"],
        port=int(found["port"]) if found["port"] else None,
        database=database,
        query=dict(parse_qsl(found["query"] or "")),
    )


def _server_settings(settings: Settings, application_name: str) -> dict[str, str]:
    return {
        "application_name": application_name,
        "statement_timeout": _milliseconds(settings.database_statement_timeout),
        "lock_timeout": _milliseconds(settings.database_lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(_IDLE_IN_TRANSACTION_SECONDS),
        "timezone": "UTC",
    }


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


def _tls(mode: str | None, root: str | None, host: str | None, settings: Settings) -> Any:
    if mode is not None and mode not in _TLS_MODES:
        raise DatabaseUrlError(f"sslmode must be one of {', '.join(_TLS_MODES)}")
    local = _is_local(host)
    if settings.database_entra_auth and not local and mode in ("disable", "allow", "prefer"):
        raise DatabaseUrlError("an Entra token is only sent over TLS: sslmode must be require or verify-*")
    if mode is None:
        mode = _default_mode(local, settings)
    if not mode.startswith("verify-"):
        return mode
    context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
    context.check_hostname = mode == "verify-full"
    return context


def _default_mode(local: bool, settings: Settings) -> str:
    if local:
        return "disable"
    if settings.database_entra_auth:
        return "verify-full"
    return "require" if settings.environment == "production" else "prefer"


def _is_local(host: str | None) -> bool:
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
