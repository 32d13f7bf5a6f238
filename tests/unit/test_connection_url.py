"""How the database's URL becomes a connection: TLS, timeouts, parameters of other drivers."""

import ssl
from typing import Any

import certifi
import pytest

from shared.database.connection_url import DatabaseUrlError, connect_arguments
from tests.support.settings import make_settings


def _arguments(url: str, **settings: Any) -> dict[str, Any]:
    made = make_settings(database_url=url, **settings)
    return connect_arguments(made, made.database_url.get_secret_value(), "test")


def test_address_and_account_are_taken_from_the_url() -> None:
    arguments = _arguments("postgresql://me:p%40ss@db.example:6432/app?connect_timeout=3")
    assert (arguments["host"], arguments["port"], arguments["database"]) == ("db.example", 6432, "app")
    assert (arguments["user"], arguments["password"], arguments["timeout"]) == ("me", "p@ss", 3.0)


def test_a_socket_folder_is_a_host() -> None:
    arguments = _arguments("postgresql://me@/app?host=/run/pg")
    assert (arguments["host"], arguments["ssl"]) == ("/run/pg", "disable")


def test_the_server_is_told_the_timeouts_in_milliseconds() -> None:
    told = _arguments("postgresql://h/d", database_statement_timeout=2, database_lock_timeout=0.5)
    assert told["server_settings"]["statement_timeout"] == "2000"
    assert told["server_settings"]["lock_timeout"] == "500"
    assert told["server_settings"]["application_name"] == "test"


def test_a_given_application_name_wins() -> None:
    told = _arguments("postgresql://h/d?application_name=mine")
    assert told["server_settings"]["application_name"] == "mine"


@pytest.mark.parametrize(
    ("url", "settings", "mode"),
    [
        ("postgresql://localhost/d", {"environment": "production"}, "disable"),
        ("postgresql://127.0.0.1/d", {"environment": "production"}, "disable"),
        ("postgresql://[::1]/d", {"environment": "production"}, "disable"),
        ("postgresql://db.example/d", {"environment": "production"}, "require"),
        ("postgresql://db.example/d", {"environment": "local"}, "prefer"),
        ("postgresql://db.example/d?sslmode=disable", {"environment": "production"}, "disable"),
        ("postgresql://localhost/d?sslmode=require", {}, "require"),
    ],
)
def test_tls_is_required_in_production_unless_the_url_says_otherwise(
    url: str, settings: dict[str, Any], mode: str
) -> None:
    assert _arguments(url, **settings)["ssl"] == mode


def test_verify_full_checks_certificate_and_name() -> None:
    context = _arguments(f"postgresql://db.example/d?sslmode=verify-full&sslrootcert={certifi.where()}")[
        "ssl"
    ]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True


def test_verify_ca_does_not_check_the_name() -> None:
    context = _arguments("postgresql://db.example/d?sslmode=verify-ca&sslrootcert=system")["ssl"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is False


def test_an_entra_token_goes_to_a_verified_server_only() -> None:
    context = _arguments("postgresql://db.example/d", database_entra_auth=True)["ssl"]
    assert context.check_hostname is True
    with pytest.raises(DatabaseUrlError, match="TLS"):
        _arguments("postgresql://db.example/d?sslmode=prefer", database_entra_auth=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://h/d?sslmode=perhaps", "sslmode"),
        ("postgresql://h/d?colour=blue", "colour"),
        ("postgresql://me:hunter2@h:port/d", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained_without_its_password(url: str, told: str) -> None:
    with pytest.raises(DatabaseUrlError, match=told) as caught:
        _arguments(url)
    assert "hunter2" not in str(caught.value)


def test_options_of_other_drivers_are_passed_over() -> None:
    assert "channel_binding" not in _arguments("postgresql://h/d?channel_binding=prefer&gssencmode=disable")


def test_a_missing_url_is_explained() -> None:
    with pytest.raises(DatabaseUrlError, match="DATABASE_URL"):
        connect_arguments(make_settings(), "", "test")
