"""Settings of a tenant: typed, versioned, audited, and in force where they are read."""

import asyncio
from typing import Any

import pytest

from shared.database.engine import Database
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import wish

PATH = "v1/system/settings"


async def patch(api: Caller, token: str, body: Any, version: str = "*") -> Any:
    return await api("PATCH", PATH, body, token=token, headers={"if-match": version})


async def test_without_a_choice_the_installations_defaults_are_in_force(api: Caller, people: People) -> None:
    found = await api("GET", PATH, token=people.auditor)
    assert found.headers["etag"] == '"0"'
    assert found.json["travel_words"][:2] == ["travel", "travelling"]
    assert {name: found.json[name] for name in ("chosen", "updated_by", "first_sign_in", "nightly_at")} == {
        "chosen": [],
        "updated_by": None,
        "first_sign_in": "off",
        "nightly_at": "02:00",
    }


async def test_a_choice_is_kept_until_it_is_given_up(api: Caller, people: People) -> None:
    first = await patch(
        api, people.admin, {"overlap_expiry_days": 14, "travel_words": ["Reise", "Flug"]}, '"0"'
    )
    assert (first.status, first.headers["etag"]) == (200, '"1"')
    assert first.json["chosen"] == ["travel_words", "overlap_expiry_days"]
    second = await patch(api, people.admin, {"travel_words": None}, '"1"')
    assert second.json["chosen"] == ["overlap_expiry_days"]
    assert second.json["travel_words"][0] == "travel"
    assert (await patch(api, people.admin, {"overlap_expiry_days": 14})).headers["etag"] == '"2"'
    problem(await patch(api, people.admin, {"overlap_expiry_days": 15}, '"1"'), 412)
    problem(await api("PATCH", PATH, {"overlap_expiry_days": 15}, token=people.admin), 428)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"unknown": 1},
        {"default_lookback_days": 61},
        {"default_lookback_days": "7"},
        {"nightly_at": "24:00"},
        {"default_time_zone": "Mars/Olympus"},
        {"default_time_zone": "../etc/passwd"},
        {"travel_words": "travel"},
        {"travel_words": [""]},
        {"travel_words": ["Trip", "trip"]},
        {"travel_words": [f"word{n}" for n in range(101)]},
        {"overlap_expiry_days": 0},
        {"first_sign_in": "always"},
    ],
)
async def test_what_breaks_a_rule_changes_nothing(api: Caller, body: dict[str, Any]) -> None:
    admin = api.token("Admin")
    problem(await patch(api, admin, body), 422)
    assert (await api("GET", PATH, token=admin)).headers["etag"] == '"0"'


async def test_of_many_changes_of_one_version_one_wins(api: Caller, people: People) -> None:
    answers = await asyncio.gather(
        *(patch(api, people.admin, {"overlap_expiry_days": days}, '"0"') for days in range(2, 8))
    )
    assert sorted(answer.status for answer in answers) == [200, *[412] * 5]


async def test_changes_are_audited_with_before_and_after(api: Caller, people: People) -> None:
    await patch(api, people.admin, {"default_lookback_days": 3})
    await patch(api, people.admin, {"default_lookback_days": 4, "nightly_at": "03:30"})
    audit = await api("GET", "v1/audit", token=people.admin, action="system_settings.updated")
    assert [entry["changes"] for entry in audit.json["items"]] == [
        [
            {"field": "default_lookback_days", "before": 3, "after": 4},
            {"field": "nightly_at", "before": None, "after": "03:30"},
        ],
        [{"field": "default_lookback_days", "before": None, "after": 3}],
    ]


async def test_a_new_configuration_gets_what_the_tenant_chose(api: Caller, people: People) -> None:
    await patch(
        api,
        people.admin,
        {"default_lookback_days": 3, "nightly_at": "04:15", "default_time_zone": "Asia/Tokyo"},
    )
    wanted = wish(people.ada)
    del wanted["time_zone"]
    made = await api("POST", "v1/archive-configurations", wanted, token=people.ada.token)
    assert made.status == 201, made.json
    assert made.json["lookback_days"] == 3
    assert made.json["time_zone"] == "Asia/Tokyo"
    assert made.json["schedule"] == {"kind": "daily", "at": "04:15"}
    team = f"msgraph://{people.ada.address}/calendars/Team"
    own = wish(people.ada, name="Other", source=team, lookback_days=0, time_zone="Europe/Berlin")
    other = await api("POST", "v1/archive-configurations", own, token=people.ada.token)
    assert (other.json["lookback_days"], other.json["time_zone"]) == (0, "Europe/Berlin")


async def test_a_change_is_in_force_here_at_once_and_elsewhere_within_seconds(
    api: Caller, people: People, database: Database
) -> None:
    settings = api.app.foundations.system_settings
    assert (await settings.of(TENANT)).overlap_expiry_days == 30
    await patch(api, people.admin, {"overlap_expiry_days": 9})
    assert (await settings.of(TENANT)).overlap_expiry_days == 9
    other = type(settings)(
        database, api.app.foundations.clock, api.app.foundations.settings, api.app.foundations.audit_writer
    )
    assert (await other.of(TENANT)).overlap_expiry_days == 9


async def test_what_a_transaction_has_not_committed_is_kept_for_nobody(
    api: Caller, people: People, database: Database
) -> None:
    class Undone(Exception):
        pass

    settings = api.app.foundations.system_settings

    async def undone() -> None:
        async with database.unit_of_work():
            assert (await patch(api, people.admin, {"overlap_expiry_days": 9})).status == 200
            assert (await settings.of(TENANT)).overlap_expiry_days == 9
            raise Undone

    with pytest.raises(Undone):
        await undone()
    assert (await settings.of(TENANT)).overlap_expiry_days == 30
