"""The examples of the API's description are requests that a running system accepted, and its answers."""

from pathlib import Path
from typing import Any

import httpx
import orjson

from infra.local.api_examples import PATH, Examples, text
from shared.triggers.http.registry import OPERATIONS
from tests.unit.http.description import document


def taken() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = orjson.loads(Path(PATH).read_bytes())
    return found


def test_the_file_is_as_it_is_written() -> None:
    """``python -m infra.local.api_examples`` writes it again from a demonstration tenant."""
    written = Path(PATH).read_text(encoding="utf-8")
    assert text(orjson.loads(written)) == written


def test_each_answer_has_the_fields_of_its_model() -> None:
    schemas = document()["components"]["schemas"]
    answers = taken()["answers"]
    assert len(answers) > 100
    for model, example in answers.items():
        assert example.keys() == schemas[model]["properties"].keys(), model


def test_each_operation_with_a_body_has_one_that_was_accepted() -> None:
    """And that still is what its model takes."""
    assert document()
    bodies = taken()["bodies"]
    for operation in OPERATIONS.values():
        if operation.body is not None:
            operation.body.model_validate_json(orjson.dumps(bodies[operation.body.__name__]))


def test_one_id_is_one_id_in_every_example() -> None:
    found = taken()
    answers, bodies = found["answers"], found["bodies"]
    user, archive = answers["UserResource"]["id"], answers["ArchiveConfigurationResource"]["id"]
    of_user = ("AppointmentResource", "ArchiveRunResource", "BackfillResource", "OverlapResource")
    assert {answers[model]["user_id"] for model in of_user} == {user}
    assert {answers[model]["configuration_id"] for model in of_user} == {archive}
    assert bodies["ArchiveConfigurationCreate"]["user_id"] == user
    assert bodies["UserCreate"]["address"] == answers["UserResource"]["address"]
    assert bodies["OverlapChoice"]["id"] == answers["OverlapOutcome"]["id"]
    assert set(bodies["OverlapResolution"]["kept"]) <= {
        member["source_key"] for member in answers["OverlapResource"]["members"]
    }


def test_what_belongs_to_one_machine_is_replaced() -> None:
    own = {"id": "11111111-2222-4333-8444-555555555555", "created_at": "2026-11-29T11:41:38.117399Z"}
    user = taken()["answers"]["UserResource"] | own
    examples = Examples(document())
    page = {"items": [user] * 3, "next": "abc"}
    examples.note("GET", "/api/v1/users", None, httpx.Response(200, json=page))
    kept = examples.answers["UserResourcePage"]
    assert len(kept["items"]) == 2
    assert kept["items"][0]["id"] == kept["items"][1]["id"] != own["id"]
    assert kept["items"][0]["created_at"] == "2026-11-29T11:41:38Z"
    assert kept["next"] != "abc"


def test_a_body_is_an_example_of_the_kind_that_it_is() -> None:
    examples = Examples(document())
    body = {"schedule": {"kind": "weekly", "at": "02:00", "days": ["monday"]}}
    template = "/api/v1/archive-configurations/{id}"
    answer = httpx.Response(200, json=taken()["answers"]["ArchiveConfigurationResource"])
    examples.note("PATCH", template, body, answer)
    assert examples.bodies == {"ArchiveConfigurationUpdate": body, "WeeklySchedule": body["schedule"]}
