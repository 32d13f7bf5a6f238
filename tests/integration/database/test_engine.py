"""Sessions: one transaction each, and what becomes of it when something goes wrong."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text

from shared.database import connection_url
from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database, PrivilegedDatabaseRoleError
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.errors import Conflict, Unavailable
from shared.settings import Settings
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase, administrator, run_blocking
from tests.support.settings import make_settings


async def _user_count(database: Database) -> int:
    async with database.session() as session:
        return (await session.execute(select(func.count()).select_from(User))).scalar_one()


async def test_what_a_session_did_is_there_afterwards(database: Database) -> None:
    async with database.session() as session:
        user = await Factory(session).user(display_name="Ünïcode")
    assert user.display_name == "Ünïcode"
    assert await _user_count(database) == 1


async def test_an_exception_undoes_everything(database: Database) -> None:
    async def work() -> None:
        async with database.session() as session:
            await Factory(session).user()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert await _user_count(database) == 0


async def test_json_keeps_numbers_text_and_times(database: Database) -> None:
    moment = datetime(2026, 3, 2, 9, tzinfo=UTC)
    plan = {"big": 2**53 + 1, "text": "Größe 日本", "at": moment, "list": [None, True, 1.5]}
    async with database.session() as session:
        run = await Factory(session).run(plan=plan)
    async with database.session() as session:
        read = await session.get_one(ArchiveRun, run.id)
        assert read.plan == plan | {"at": "2026-03-02T09:00:00+00:00"}


async def test_a_collision_found_at_commit_names_what_collides(database: Database) -> None:
    same = uuid.uuid4()
    async with database.session() as session:
        await Factory(session).user(object_id=same)

    async def collide() -> None:
        async with database.session() as session:
            user = await Factory(session).user()
            user.object_id = same

    with pytest.raises(AlreadyExists, match="object id") as caught:
        await collide()
    assert caught.value.constraint == "uq_users_tenant_id_object_id"


async def test_a_row_in_use_is_not_deleted(database: Database) -> None:
    async def delete_owner() -> None:
        async with database.session() as session:
            configuration = await Factory(session).configuration()
            await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": configuration.owner_id})

    with pytest.raises(Conflict) as caught:
        await delete_owner()
    assert caught.value.code == "in_use"


async def test_a_reference_to_nothing_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.session() as session:
            await Factory(session).configuration(owner_id=uuid.uuid4())
    assert caught.value.code == "missing_reference"


async def test_an_exhausted_pool_says_when_to_come_back_and_recovers(settings: Settings) -> None:
    small = settings.model_copy(
        update={"database_pool_size": 1, "database_max_overflow": 0, "database_pool_timeout": 0.05}
    )
    database = Database(small)
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(Unavailable) as caught:
            await database.ping()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 0
    await database.ping()
    await database.close()


async def test_no_server_is_unavailable(unused_tcp_port: int) -> None:
    database = Database(make_settings(database_url=f"postgresql://me:hunter2@127.0.0.1:{unused_tcp_port}/d"))
    with pytest.raises(Unavailable) as caught:
        await database.ping()
    assert caught.value.retry_after is not None
    assert "hunter2" not in caught.value.detail
    await database.close()


async def test_a_server_that_says_nothing_is_not_asked_by_each_request_again() -> None:
    asked: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: asked.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = Database(
        make_settings(database_url=f"postgresql://me@127.0.0.1:{port}/d", database_connect_timeout=0.2)
    )
    for _ in range(3):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await database.ping()
    assert len(asked) == 1
    for writer in asked:
        writer.close()
    server.close()
    await database.close()


async def test_a_database_that_is_not_there_is_unavailable(worker_database: TestDatabase) -> None:
    missing = worker_database.user.replace(worker_database.name, "nowhere")
    database = Database(make_settings(database_url=missing))
    with pytest.raises(Unavailable, match="refuses"):
        await database.ping()
    await database.close()


async def test_a_broken_connection_is_unavailable_and_replaced(
    database: Database, worker_database: TestDatabase
) -> None:
    async def work() -> None:
        async with database.session() as session:
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with administrator(worker_database.user) as other:
                await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await work()
    await database.ping()


async def test_a_connection_that_broke_while_idle_is_not_noticed_by_the_next_caller(
    database: Database, worker_database: TestDatabase
) -> None:
    async with database.session() as session:
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with administrator(worker_database.user) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await database.ping()


async def test_a_statement_that_takes_too_long_is_ended(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_statement_timeout": 0.05}))
    with pytest.raises(Unavailable, match="too long"):
        async with database.session() as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    await database.ping()
    await database.close()


async def test_a_server_that_does_not_answer_is_given_up_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_url, "ANSWER_MARGIN_SECONDS", 0.2 - settings.database_statement_timeout)
    database = Database(settings)
    with pytest.raises(Unavailable):
        async with database.session() as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    await database.ping()
    await database.close()


async def test_a_row_that_another_transaction_holds_is_not_waited_for_long(
    database: Database, settings: Settings
) -> None:
    impatient = Database(settings.model_copy(update={"database_lock_timeout": 0.05}))
    async with database.session() as session:
        user = await Factory(session).user()
    lock = select(User).where(User.id == user.id).with_for_update()
    async with database.session() as first:
        await first.execute(lock)
        with pytest.raises(Unavailable):
            async with impatient.session() as second:
                await second.execute(lock)
    await impatient.close()


async def test_a_table_that_was_migrated_in_between_costs_one_repetition(
    database: Database, worker_database: TestDatabase
) -> None:
    async def read() -> int:
        async with database.session() as session:
            return len((await session.execute(text("SELECT * FROM mailbox_gates"))).keys())

    columns = await read()
    async with administrator(worker_database.owner) as owner:
        await owner.execute("ALTER TABLE mailbox_gates ADD COLUMN extra text")
        try:
            with pytest.raises(Unavailable, match="repeat"):
                await read()
            assert await read() == columns + 1
        finally:
            await owner.execute("ALTER TABLE mailbox_gates DROP COLUMN extra")


async def test_a_mistake_of_ours_stays_a_mistake(database: Database) -> None:
    with pytest.raises(Exception, match="nowhere") as caught:
        async with database.session() as session:
            await session.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(caught.value, Unavailable)


async def test_the_owner_of_the_tables_is_refused(worker_database: TestDatabase) -> None:
    database = Database(make_settings(database_url=worker_database.owner))
    with pytest.raises(PrivilegedDatabaseRoleError, match="owner"):
        await database.ping()
    await database.close()


async def test_a_superuser_is_refused(worker_database: TestDatabase) -> None:
    async with administrator(worker_database.admin) as connection:
        if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            pytest.skip("the server gives us no superuser")
    database = Database(make_settings(database_url=worker_database.admin))
    with pytest.raises(PrivilegedDatabaseRoleError, match="superuser"):
        await database.ping()
    await database.close()


async def test_another_event_loop_is_refused(database: Database) -> None:
    await database.ping()
    with pytest.raises(RuntimeError, match="event loop"):
        run_blocking(database.ping())


async def test_a_closed_database_is_not_opened_again(settings: Settings) -> None:
    database = Database(settings)
    await database.ping()
    await database.close()
    with pytest.raises(RuntimeError, match="closed"):
        await database.ping()
    await database.close()
