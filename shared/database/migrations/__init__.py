"""Alembic migrations: forward only, each safe while the previous version of the app runs.

A constraint or index without a name of its own is named by the convention of ``Base.metadata``.
"""
