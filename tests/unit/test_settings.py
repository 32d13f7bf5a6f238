"""What an installation can set, and what happens when it sets nonsense."""

import json
import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS
from shared.settings import PREFIX, Settings
from tests.support.settings import make_settings

SAMPLE = Path(__file__).parents[2] / "local.settings.sample.json"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)


def test_settings_need_no_environment_and_refuse_every_token_by_default() -> None:
    settings = Settings()
    assert settings.environment == "production"
    assert settings.api_audience == ""
    assert settings.cors_origins == ()


def test_settings_are_read_by_their_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_ASSISTANT_DATABASE_POOL_SIZE", "9")
    monkeypatch.setenv("ADMIN_ASSISTANT_CORS_ORIGINS", "https://a.example/, https://b.example")
    settings = Settings()
    assert settings.database_pool_size == 9
    assert settings.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("name", ["DATABASE_URL", "CORE_DATABASE_URL", "ADMIN_ASSISTANT_DATABASE_URL"])
def test_the_database_url_answers_to_all_its_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "postgres://me:secret@db.example/app")
    assert Settings().database_url.get_secret_value() == "postgresql+asyncpg://me:secret@db.example/app"


def test_the_names_of_the_predecessor_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    for name, value in {
        "MS_CLIENT_ID": "client",
        "MS_CLIENT_SECRET": "secret",
        "MS_TENANT_ID": tenant,
        "OPENAI_API_KEY": "key",
        "APP_ENV": "Development",
        "LOG_LEVEL": "debug",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.client_id, str(settings.tenant_id)) == ("client", tenant)
    assert settings.client_secret == SecretStr("secret")
    assert settings.openai_api_key == SecretStr("key")
    assert (settings.environment, settings.log_level) == ("development", "DEBUG")


def test_the_own_name_wins_over_the_predecessors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS_CLIENT_ID", "old")
    monkeypatch.setenv("ADMIN_ASSISTANT_CLIENT_ID", "new")
    assert Settings().client_id == "new"


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_ASSISTANT_TENANT_ID", "")
    monkeypatch.setenv("ADMIN_ASSISTANT_MAX_WINDOW_DAYS", "")
    assert Settings().tenant_id is None
    assert Settings().max_window_days == 400


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql+psycopg2://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql+asyncpg://u@/d?host=/run/pg", "postgresql+asyncpg://u@/d?host=/run/pg"),
        ("postgres://h/d?a=b&sslmode=require", "postgresql+asyncpg://h/d?a=b&ssl=require"),
    ],
)
def test_postgres_urls_of_every_kind_work(given: str, used: str) -> None:
    assert make_settings(database_url=given).database_url.get_secret_value() == used


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", "mysql://me:hunter2@h/d"),
        ("database_url", "hunter2"),
        ("default_time_zone", "Europe/Hunter2"),
        ("default_time_zone", "../hunter2"),
        ("nightly_at", "25:00"),
        ("default_lookback_days", 61),
        ("database_pool_size", 0),
        ("environment", "hunter2"),
        ("mailbox_lease_seconds", 30),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        make_settings(**{field: value})
    assert field in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    shown = repr(make_settings(database_url="postgresql://me:hunter2@h/d", client_secret="hunter2"))
    assert "hunter2" not in shown


def test_base_urls_carry_no_trailing_slash() -> None:
    assert make_settings(graph_base_url="http://127.0.0.1:1/v1.0/").graph_base_url.endswith("v1.0")


def test_migrations_connect_as_the_owner_if_one_is_named() -> None:
    settings = make_settings(database_url="postgresql://app@h/d")
    assert settings.owner_database_url == settings.database_url
    settings = make_settings(
        database_url="postgresql://app@h/d", migration_database_url="postgresql://owner@h/d"
    )
    assert "owner" in settings.owner_database_url.get_secret_value()


def test_the_sample_lists_every_setting_with_a_value_that_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = json.loads(SAMPLE.read_text())
    assert sample["IsEncrypted"] is False
    values: dict[str, str] = sample["Values"]
    assert {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} == {
        name for name in values if name.startswith(PREFIX)
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    # Safe: nothing that lets anyone in, no secret that someone might keep.
    assert settings.api_audience == ""
    assert settings.client_secret is None
    assert settings.openai_api_key is None


def test_travel_words_are_those_of_the_rule_unless_others_are_listed() -> None:
    assert make_settings().travel_words == DEFAULT_TRAVEL_WORDS
    assert make_settings(travel_words="Reise, Flug,,").travel_words == ("Reise", "Flug")
