"""The database is lost and restored to an earlier moment (docs/disaster-recovery.md)."""

from pathlib import Path

from infra.local.api import Api
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.acceptance.test_archive_runs import verified
from tests.support.person import Person, at, meeting, until
from tests.support.restoring import backed_up, restore


async def test_a_restored_database_loses_and_doubles_nothing(
    tmp_path: Path, acceptance_point: AcceptancePoint
) -> None:
    """Copies made after the restored moment are unknown to the database, and archived no second time."""
    folder = tmp_path / "system"
    async with Stack(folder) as stack:
        person = await Person.join(stack, "restored", [meeting(f"Before {n}", at(9, n)) for n in range(3)])
        archived = await person.configure()
        await person.archive(archived)
        async with backed_up(stack.postgres, tmp_path / "backup") as backup:
            # In no base backup: the log has it.
            await person.add(meeting("In the log", at(12)))
            await person.archive(archived)
            kept = await sealed(person)
            await backup.mark()
            await person.add(meeting("After", at(14)))
            await person.edit(await person.event("Before 0"), subject="Changed after")
            await person.archive(archived)
            lost = await sealed(person)
        data = stack.postgres.data_folder
    assert data is not None
    restore(backup, data)
    async with Stack(folder, env={"ADMIN_ASSISTANT_LOOK_BEFORE_CREATE": "true"}) as stack:
        # By then Graph has forgotten which transactions it saw: they do not keep copies apart.
        await stack.simulator("PATCH", "settings", {"transaction_memory_seconds": 0})
        person = Person(
            stack, Api(stack.client, stack.api, await stack.token()), person.address, person.user_id
        )
        checks = {check["name"]: check["status"] for check in (await person.get("system/doctor"))["checks"]}
        kinds = {finding["reason_code"] for finding in await verified(person, archived)}
        await person.archive(archived)
        again = await person.archive(archived)
        subjects = await person.subjects()
        left = await verified(person, archived)
        audit = await person.get("audit/verification")
    expected = ["After", "Before 1", "Before 2", "Changed after", "In the log"]
    acceptance_point(
        measured=f"{subjects}, {len(left)} differences left, audit: {audit['broken']}",
        bound=f"{expected}, 0 differences, audit cut off after {kept}",
    )
    assert (checks["database_role"], checks["database_schema"]) == ("ok", "ok")
    assert "key_not_in_record" in kinds, "the verification tells what the database does not know"
    assert (subjects, left) == (expected, [])
    assert (again["archived"], again["unchanged"]) == (0, len(expected))
    # What was sealed before the restored moment holds, and the end that storage keeps tells what is gone.
    assert (audit["broken"]["reason_code"], audit["broken"]["position"]) == ("kept_end", lost)
    assert kept <= audit["sealed"] < lost


async def sealed(person: Person) -> int:
    """How many positions the audit's chain has, once every row of before is in it."""
    found = await person.get("audit/verification")
    wanted = found["sealed"] + found["unsealed"]

    async def all_of_them() -> bool:
        nonlocal found
        await person.fire("dispatch")
        found = await person.get("audit/verification")
        return bool(found["sealed"] >= wanted)

    await until(all_of_them)
    return int(found["sealed"])
