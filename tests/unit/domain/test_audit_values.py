"""Which values of an audited change are personal, secret or private."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.audit.values import (
    ENCRYPTED,
    REDACTED,
    concerns_private_event,
    has_encrypted,
    is_secret_name,
    masked,
    restore,
    separate,
    without_secrets,
)
from shared.domain.identity.disclosure import PRIVATE
from shared.domain.json_object import JsonObject

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def stored(changes: JsonObject) -> JsonObject:
    """The changes with a stand-in for each ciphertext."""
    kept, personal = separate(changes)
    for each in personal:
        each.fill(f"cipher of {each.path}")
    return kept


def test_personal_values_are_taken_out_with_their_places() -> None:
    changes = {
        "before": {"subject": "Surgeon", "sensitivity": "private", "location": ""},
        "after": {"attendees": [{"name": "Bo", "address": "bo@example.com"}], "start_at": "2026-03-02"},
    }
    kept, personal = separate(changes)
    assert kept == {
        "before": {"subject": {ENCRYPTED: None}, "sensitivity": "private", "location": ""},
        "after": {"attendees": {ENCRYPTED: None}, "start_at": "2026-03-02"},
    }
    assert [(each.path, each.value) for each in personal] == [
        ("/before/subject", "Surgeon"),
        ("/after/attendees", [{"name": "Bo", "address": "bo@example.com"}]),
    ]


def test_an_address_is_personal_in_every_place() -> None:
    kept, personal = separate(
        {"plan": ["msgraph://ada@example.com/calendar", 1], "members": {"bo@example.com": True}}
    )
    assert "@" not in str(kept).replace("'$encrypted'", "")
    assert [each.path for each in personal] == ["/plan/0", "/members"]


def test_what_says_nothing_about_a_person_stays_readable() -> None:
    changes = {
        "operations": {"done": ["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"]},
        "window": ["2026-03-02T00:00:00+00:00"],
        "count": 3,
        "active": True,
        "reason": None,
    }
    assert separate(changes) == (changes, [])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "secret",
            "client_secret",
            "clientSecret",
            "refresh-token",
            "AccessToken",
            "password",
            "DB_PASSWORD",
        ),
        *("api_key", "apiKey", "privateKey", "clientState", "authorization", "Cookie", "connectionString"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_name(name)
    assert separate({"after": {name: "hunter2"}})[0] == {"after": {name: REDACTED}}
    assert separate({name: {"value": "hunter2"}})[0] == {name: REDACTED}


@pytest.mark.parametrize("name", ["secretary", "tokenised_at", "key", "source_key", "state", "passenger"])
def test_what_only_resembles_one_is_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        "refused: bearer abcdefghijkl",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=hunter2==;",
        "https://a.blob.core.windows.net/c?sv=1&sig=hunter2%3D",
        "postgresql://me:hunter2@db.example/app",
        "sk-hunter2hunter2hunter2",
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
    shown = without_secrets(text)
    assert REDACTED in shown
    assert not [leak for leak in ("hunter2", TOKEN, "abcdefghijkl") if leak in shown]


def test_reading_puts_every_value_back() -> None:
    changes = {"before": {"subject": "a", "n": 1}, "list": [{"body": "b"}, "ada@example.com"]}
    kept, personal = separate(changes)
    values: dict[str, Any] = {}
    for each in personal:
        each.fill(each.path)
        values[each.path] = each.value
    assert has_encrypted(kept)
    assert restore(kept, lambda path, text: values[path] if text == path else None) == changes


_FIELDS = st.sampled_from(["subject", "attendees", "start_at", "count", "state", "name", "before", "x"])
_TEXTS = st.text(st.sampled_from("abü@ \n"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS | _TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_FIELDS, _VALUES, max_size=4))
def test_nothing_personal_stays_and_nothing_is_lost(changes: dict[str, Any]) -> None:
    kept, personal = separate(changes)
    values = {}
    for each in personal:
        each.fill("cipher")
        assert each.path not in values
        values[each.path] = each.value
    assert "@" not in json.dumps(kept)
    assert restore(kept, lambda path, text: values[path]) == changes


def test_a_private_event_shows_its_times_only() -> None:
    before = {"subject": "Surgeon", "start_at": "09:00", "sensitivity": "normal", "show_as": "oof"}
    after = before | {"sensitivity": "private", "location": "Clinic"}
    changes = stored({"before": before, "after": after, "ids": ["x"]})
    assert concerns_private_event(changes)
    shown = masked(changes)
    assert shown == {
        "before": {"subject": PRIVATE, "start_at": "09:00", "sensitivity": "normal", "show_as": PRIVATE},
        "after": {
            "subject": PRIVATE,
            "start_at": "09:00",
            "sensitivity": "private",
            "show_as": PRIVATE,
            "location": PRIVATE,
        },
        "ids": ["x"],
    }
    assert not has_encrypted(shown)


@pytest.mark.parametrize("sensitivity", ["private", "personal", "confidential"])
def test_every_sensitivity_but_normal_is_private(sensitivity: str) -> None:
    assert concerns_private_event({"after": {"sensitivity": sensitivity}})


def test_an_event_of_which_nobody_says_whether_it_is_private_counts_as_private() -> None:
    assert concerns_private_event({"messages": [{"subject": "x"}]})
    assert not concerns_private_event({"after": {"display_name": "Ada", "address": "ada@example.com"}})
    assert not concerns_private_event({"after": {"subject": "x", "sensitivity": "normal"}})
