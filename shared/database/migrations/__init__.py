"""Alembic migrations: forward only, each safe while the previous version of the app runs."""
