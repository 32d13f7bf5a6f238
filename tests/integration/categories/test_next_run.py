"""What becomes of an applied category: the next run takes the event over, and the reports follow."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from shared import telemetry
from shared.database.models.appointments import Appointment
from shared.database.models.users import User
from shared.domain.identity.caller import Caller
from shared.schemas.category_reports import Choice, StatisticsQuery, SuggestionQuery, SuggestionsApply
from shared.services.audit.recording import AuditWriter
from shared.services.categories.applying import CategoryApplying
from shared.services.categories.hours import CategoryHours
from shared.services.categories.suggestions import CategorySuggestions
from tests.integration.archiving.conftest import world
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

__all__ = ["world"]

ACME = "Acme - billable"
HOUR = timedelta(hours=1)


async def test_a_suggestion_that_is_applied_reaches_the_archive_with_the_next_run(world: World) -> None:
    await world.open(
        [
            event("Weekly", DAY + 9 * HOUR, categories=[ACME]),
            event("Weekly", DAY + 33 * HOUR),
            event("Lunch", DAY + 36 * HOUR),
        ]
    )
    await world.archive()
    ada = Caller.user(world.tenant_id, world.person_id)
    reports = CategoryHours(world.database, world.settings)
    suggestions = CategorySuggestions(world.database, world.settings)
    days: dict[str, Any] = {"first_day": DAY.date(), "last_day": (DAY + timedelta(days=6)).date()}
    found = (await suggestions.list(ada, SuggestionQuery(**days))).items
    assert [(each.subject, [s.category for s in each.suggestions]) for each in found] == [
        ("Weekly", [ACME]),
        ("Lunch", []),
    ]
    applying = CategoryApplying(
        world.database, world.calendars, world.settings, AuditWriter(world.clock, world.person_keys)
    )
    choice = Choice(appointment_id=found[0].appointment_id, category=found[0].suggestions[0].category)
    with telemetry.bind(caller=ada, correlation="test"):
        applied = await applying.apply(ada, SuggestionsApply(choices=[choice]))
    assert [each.outcome for each in applied.items] == ["applied"]
    assert (await reports.statistics(ada, StatisticsQuery(**days))).total.hours == 3.0

    report = await world.archive()
    assert (report["updated"], report["unchanged"], report["archived"]) == (1, 2, 0)
    after = await reports.statistics(ada, StatisticsQuery(**days))
    assert [(line.customer, line.count, line.hours) for line in after.lines] == [("Acme", 2, 2.0)]
    assert after.personal.count == 1
    assert sorted(len(copy["categories"]) for copy in await world.copies()) == [0, 1, 1]
    async with world.database.session() as session:
        owner = (await session.execute(select(User))).scalar_one()
        rows = (await session.execute(select(Appointment).order_by(Appointment.start_at))).scalars()
        assert [(row.owner_id, row.categories) for row in rows] == [
            (owner.id, [ACME]),
            (owner.id, [ACME]),
            (owner.id, []),
        ]
