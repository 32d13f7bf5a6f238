"""Export and erasure cover every table there is, by the tables themselves and an explicit register (15)."""

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text

from shared.database.models.metadata import METADATA
from shared.database.repositories.people.person_data import holdings
from tests.integration.people import everything


def test_every_table_says_whose_its_rows_are() -> None:
    assert everything.unknown_tables() == set()
    kept = {holding.name for holding in holdings() if holding.kept}
    assert kept == {"audit_entries", "user_erasures"}


def test_a_table_of_which_nobody_says_whose_it_is_stops_everything() -> None:
    metadata = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(metadata)
    Table("mysteries", metadata, Column("id", Text, primary_key=True))
    with pytest.raises(LookupError, match="mysteries"):
        holdings(metadata)


def test_children_come_before_those_they_refer_to() -> None:
    names = [holding.name for holding in holdings()]
    for holding in holdings():
        for key in holding.table.foreign_key_constraints:
            if key.referred_table is not holding.table and key.referred_table.name in names:
                assert names.index(holding.name) < names.index(key.referred_table.name)


def test_rows_that_refer_to_a_persons_row_are_theirs() -> None:
    metadata = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(metadata)
    Table("notes", metadata, Column("appointment_id", ForeignKey("appointments.id"), primary_key=True))
    assert "notes" in [holding.name for holding in holdings(metadata)]
