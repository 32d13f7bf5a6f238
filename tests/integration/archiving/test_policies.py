"""What a configuration wants of its archive: purpose, privacy, out of office (domain.md 2.7, 6)."""

from datetime import timedelta

from shared.domain.planning.decision import Action
from shared.schemas.audit import AuditListQuery
from shared.services.audit.trail import AuditTrail
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
BILLABLE = ["Acme - billable"]


async def test_a_timesheet_takes_billing_and_travel_and_counts_the_rest(world: World) -> None:
    await world.open(
        [
            event("Work", NINE, 30, categories=BILLABLE),
            event("Office", NINE + HOUR, 30, categories=["Admin - non-billable"]),
            event("Train trip", NINE + 2 * HOUR, 30),
            event("Contract strip review", NINE + 3 * HOUR, 30),
            event("Dentist", NINE + 4 * HOUR, 30),
            event("Odd", NINE + 5 * HOUR, 30, categories=["Acme"]),
            event("Lunch", NINE + 6 * HOUR, 30, categories=BILLABLE, showAs="free"),
        ],
        purpose="timesheet",
        overlap_policy="auto",
    )
    report = await world.archive()
    assert (report["archived"], report["left_out"], report["category_issues"]) == (3, 4, 1)
    assert adds_up(report)
    assert await world.subjects() == ["Office", "Train trip", "Work"]
    reasons = await world.rows(
        "SELECT left_out, count(*) AS n FROM archived_events WHERE state = 'left_out' GROUP BY left_out"
    )
    assert {row["left_out"]: row["n"] for row in reasons} == {"free": 1, "personal": 2, "invalid_category": 1}
    before = world.counts()
    again = await world.archive()
    assert (again["unchanged"], again["left_out"]) == (3, 4)
    after = world.counts()
    assert (after["writes"] - before["writes"], after["reads"] - before["reads"] <= 2) == (0, True)


async def test_a_recategorised_event_comes_into_the_timesheet_and_never_leaves_it(world: World) -> None:
    await world.open([event("Work", NINE)], purpose="timesheet", overlap_policy="auto")
    assert (await world.archive())["left_out"] == 1
    await world.edit((await world.source("Work"))["id"], categories=BILLABLE)
    assert (await world.archive())["archived"] == 1
    await world.edit((await world.source("Work"))["id"], categories=[])
    report = await world.archive()
    assert (report["updated"], report["left_out"]) == (1, 0)
    assert (await world.copy("Work"))["categories"] == []


async def test_the_tenants_travel_words_are_used(world: World) -> None:
    await world.open([event("Ferry home", NINE)], purpose="timesheet", overlap_policy="auto")
    await world.rows(
        "INSERT INTO system_settings (tenant_id, chosen, version)"
        ' VALUES (:tenant, \'{"travel_words": ["ferry"]}\', 1) RETURNING tenant_id',
        tenant=world.tenant_id,
    )
    # A dry run goes by the same words.
    assert (await preview(world)).counts == {Action.CREATE: 1}
    assert (await world.archive())["archived"] == 1


async def test_privacy_is_automated_in_copy_and_record_but_not_in_the_source(world: World) -> None:
    await world.open(
        [
            event("Dentist", NINE),
            event("Drive to Acme", NINE + 2 * HOUR, categories=BILLABLE),
            event("Work", NINE + 4 * HOUR, categories=BILLABLE, sensitivity="confidential"),
        ],
        privacy_automation=True,
    )
    assert (await world.archive())["archived"] == 3
    copies = {copy["subject"]: copy["sensitivity"] for copy in await world.copies()}
    assert copies == {"Dentist": "private", "Drive to Acme": "private", "Work": "confidential"}
    assert (await world.source("Dentist"))["sensitivity"] == "normal"
    records = await world.rows("SELECT subject, sensitivity, source_sensitivity FROM appointments")
    assert {row["subject"]: (row["sensitivity"], row["source_sensitivity"]) for row in records} == {
        "Dentist": ("private", "normal"),
        "Drive to Acme": ("private", "normal"),
        "Work": ("confidential", "confidential"),
    }
    # Neither a policy nor its results are part of the revision: nothing is written again (2.4, 2.5).
    await world.configure(privacy_automation=False)
    assert (await world.archive())["updated"] == 0
    assert (await world.copy("Dentist"))["sensitivity"] == "private"


async def test_copies_show_as_out_of_office_where_wanted_and_the_sources_do_not(world: World) -> None:
    await world.open([event("Away", NINE), event("Free", NINE + 2 * HOUR, showAs="free")], out_of_office=True)
    await world.archive()
    assert (await world.copy("Away"))["showAs"] == "oof"
    assert (await world.copy("Free"))["showAs"] == "free"
    assert (await world.source("Away"))["showAs"] != "oof"
    (row,) = await world.rows("SELECT show_as, source_show_as FROM appointments WHERE subject = 'Away'")
    assert (row["show_as"], row["source_show_as"]) == ("oof", "busy")


async def test_an_all_day_event_overlaps_only_where_it_counts(world: World) -> None:
    await world.open(
        [event("Holiday", DAY, 24 * 60, isAllDay=True, showAs="oof"), event("Call", NINE)],
        overlap_policy="flag",
    )
    assert (await world.archive())["archived"] == 2
    await world.configure(all_day_counts=True)
    await world.add(event("Second call", NINE + 3 * HOUR))
    report = await world.archive()
    assert (report["unchanged"], report["flagged"]) == (2, 1)


async def test_an_owners_edit_is_refused_once_and_remembered(world: World) -> None:
    await world.open([event("Draft", NINE)])
    await world.archive()
    await world.edit((await world.copy("Draft"))["id"], subject="By hand")
    await world.edit((await world.source("Draft"))["id"], subject="From source")
    assert (await world.archive())["conflict"] == 1
    before = world.counts()
    report = await world.archive()
    assert (report["conflict"], report["updated"]) == (1, 0)
    assert world.counts()["writes"] == before["writes"]
    # The next change of the source is tried again, because the owner may have reverted their edit.
    await world.edit((await world.copy("By hand"))["id"], subject="Draft")
    await world.edit((await world.source("From source"))["id"], subject="Newer")
    assert (await world.archive())["updated"] == 1
    assert await world.subjects() == ["Newer"]


async def test_the_audit_names_what_rules_decided(world: World) -> None:
    await world.open(
        [event("One", NINE), event("Two", NINE + HOUR / 2)],
        overlap_policy="flag",
    )
    await world.archive()
    trail = AuditTrail(world.database, world.person_keys)
    (entry,) = (await trail.search(world.admin, AuditListQuery(action="overlap.planned"))).rows
    (group,) = entry.details["groups"].values()
    assert (group["status"], group["members"]) == ("flagged", 2)
