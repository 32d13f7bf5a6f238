"""Which deployments can be gone back to, and what is kept of them."""

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.local.deployment.artefacts import KEPT, Artefact, Record, obstacles
from infra.local.errors import LocalError


def artefact(folder: Path, number: int, **told: object) -> Artefact:
    path = folder / f"{number}.zip"
    says: dict[str, object] = {
        "version": f"1.{number}.0",
        "commit": f"{number:040x}",
        "schema_revision": "0030",
    }
    says |= {"minimum_schema_revision": "0030", "orchestration_versions": ["1"]} | told
    with ZipFile(path, "w") as packed:
        packed.writestr("build.json", json.dumps(says))
    return Artefact.read(path)


def test_the_last_ten_are_kept_with_their_packages(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    for number in range(13):
        record.add(record.keep(artefact(tmp_path, number)))
    assert [each.version for each in record.all()] == [f"1.{number}.0" for number in range(3, 13)]
    assert len(list((tmp_path / "record").glob("*.zip"))) == KEPT
    assert record.find(None).version == "1.11.0"
    assert record.find("1.5.0").archive.is_file()
    with pytest.raises(LocalError, match=r"no deployment 1\.1\.0"):
        record.find("1.1.0")


def test_nothing_stands_in_the_way_of_code_that_the_schema_still_serves(tmp_path: Path) -> None:
    before = artefact(tmp_path, 1, schema_revision="0030")
    assert obstacles(before, "0030", "0031", ["1"]) == []
    assert obstacles(before, "", "0031", ["0.9", "1"]) == []


def test_each_obstacle_is_named(tmp_path: Path) -> None:
    before = artefact(tmp_path, 1, schema_revision="0030")
    (schema,) = obstacles(before, "0031", "0032", [])
    assert "written for schema 0030; the database serves code of 0031 and later" in schema
    (orchestration,) = obstacles(replace(before, schema_revision="0031"), "0031", "0032", ["1", "2"])
    assert "version 2 are in flight" in orchestration
    (behind,) = obstacles(replace(before, schema_revision="0033"), "0031", "0032", [])
    assert "the database is at 0032" in behind


def test_a_file_that_is_no_package_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"nothing")
    with pytest.raises(LocalError, match=r"x\.zip is no package"):
        Artefact.read(tmp_path / "x.zip")


def test_what_migrations_took_away_is_remembered_though_their_package_never_served(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    record.add(record.keep(artefact(tmp_path, 1, minimum_schema_revision="0029")))
    assert record.served_since() == "0029"
    failed = artefact(tmp_path, 2, schema_revision="0031", minimum_schema_revision="0031")
    record.migrated(failed)
    record.migrated(artefact(tmp_path, 3, minimum_schema_revision="0029"))
    assert Record(tmp_path / "record").served_since() == "0031"
