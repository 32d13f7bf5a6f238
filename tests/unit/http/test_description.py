"""The API's description says everything that a client needs, and nothing that it cannot follow."""

import copy
from typing import Any

import pytest

from tests.unit.http.description import document, faults


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return document()


def test_nothing_is_left_undescribed(found: dict[str, Any]) -> None:
    assert faults(found) == []


def test_the_lint_sees_each_fault(found: dict[str, Any]) -> None:
    broken = copy.deepcopy(found)
    schemas = broken["components"]["schemas"]
    del schemas["UserResource"]["properties"]["address"]["description"]
    schemas["UserResource"]["properties"]["state"] = {"type": "string", "description": "Former name."}
    schemas["ArchiveRunResource"]["properties"]["mode"] = {"type": "string", "description": "Any text."}
    schemas["ArchiveRunResource"]["properties"]["report"] = {"description": "Whatever."}
    schemas["TenantResource"]["description"] = "See domain.md 2.1."
    schemas["UserResource"]["properties"]["display_name"]["description"] = "The display name."
    schemas["UserUpdate"]["description"] = "What may change of him."
    del schemas["FindingKindName"]["description"]
    broken["tags"][0]["description"] = ""
    parameters = broken["paths"]["/api/v1/users/{id}"]["patch"]["parameters"]
    for parameter in parameters:
        if parameter["name"] == "If-Match":
            parameter["example"] = "*"
        if parameter["name"] == "id":
            del parameter["description"]
    told = [fault.partition(":")[0] for fault in faults(broken)]
    assert sorted(told) == sorted(
        [
            f"tag {broken['tags'][0]['name']}",
            "UserResource.address",
            "UserResource.state",
            "ArchiveRunResource.mode",
            "ArchiveRunResource.report",
            "PATCH /api/v1/users/{id}, path id",
            "PATCH /api/v1/users/{id}, header If-Match",
            "/components/schemas/TenantResource",
            "UserResource.display_name",
            "/components/schemas/UserUpdate",
            "FindingKindName",
        ]
    )
