"""Run by Alembic, on the connection of ``shared.database.migrate`` that holds the advisory lock."""

from alembic import context

from shared.database.models.metadata import METADATA


def run_migrations() -> None:
    """Run the requested migrations, all in one transaction."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("use python -m shared.database.migrate")
    context.configure(connection=connection, target_metadata=METADATA, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run_migrations()
