"""The examples of the API's description are answers that a running system gives."""

from pathlib import Path

import orjson

from infra.local.api_examples import PATH, Examples, text
from tests.unit.http.description import document


def test_the_file_is_as_it_is_written() -> None:
    written = Path(PATH).read_text(encoding="utf-8")
    assert text(orjson.loads(written)) == written


def test_each_example_has_the_fields_of_its_model() -> None:
    """``python -m infra.local.api_examples`` takes them again from a demonstration tenant."""
    schemas = document()["components"]["schemas"]
    taken = orjson.loads(Path(PATH).read_bytes())
    assert len(taken) > 50
    for model, example in taken.items():
        assert example.keys() == schemas[model]["properties"].keys(), model


def test_one_id_is_one_id_in_every_example() -> None:
    taken = orjson.loads(Path(PATH).read_bytes())
    owners = {
        taken[model]["user_id"]
        for model in ("AppointmentResource", "ArchiveRunResource", "BackfillResource")
        if model in taken
    }
    assert owners == {taken["UserResource"]["id"]}
    assert taken["ArchiveRunResource"]["configuration_id"] == taken["ArchiveConfigurationResource"]["id"]


def test_what_belongs_to_one_machine_is_replaced() -> None:
    own = {"id": "11111111-2222-4333-8444-555555555555", "created_at": "2026-11-29T11:41:38.117399Z"}
    user = orjson.loads(Path(PATH).read_bytes())["UserResource"] | own
    examples = Examples(document())
    examples.take("/api/v1/users", {"items": [user] * 3, "next": "abc"})
    page = examples.found["UserResourcePage"]
    assert len(page["items"]) == 2
    assert page["items"][0]["id"] == page["items"][1]["id"] != own["id"]
    assert page["items"][0]["created_at"] == "2026-11-29T11:41:38Z"
    assert page["next"] != "abc"
