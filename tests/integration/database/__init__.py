"""Tests of engine, migrations and repositories on PostgreSQL."""
