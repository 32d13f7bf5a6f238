"""Outlook's list of categories, read and changed through the SDK's adapter."""

from uuid import uuid4

import pytest

from shared.errors import Conflict, NotFound, StoreRefused, StoreUnavailable
from shared.graph.client import GraphClient
from shared.graph.master_categories import MasterCategories
from tests.integration.graph.conftest import QUICK, Tenant

ACME = "Acme - billable"


@pytest.fixture
def categories(client: GraphClient) -> MasterCategories:
    return MasterCategories(client, policy=QUICK)


async def test_a_category_is_made_read_recoloured_and_deleted(
    tenant: Tenant, categories: MasterCategories
) -> None:
    assert await categories.list(tenant.mailbox) == []
    made = await categories.create(tenant.mailbox, ACME, "preset4")
    assert (made.name, made.color) == (ACME, "preset4")
    assert await categories.list(tenant.mailbox) == [made]
    changed = await categories.recolour(tenant.mailbox, made.id, "none")
    assert (changed.id, changed.name, changed.color) == (made.id, ACME, "none")
    for _ in range(2):
        await categories.delete(tenant.mailbox, made.id)
    assert await categories.list(tenant.mailbox) == []
    with pytest.raises(NotFound):
        await categories.recolour(tenant.mailbox, made.id, "preset1")


async def test_a_name_that_is_taken_is_a_conflict(tenant: Tenant, categories: MasterCategories) -> None:
    await categories.create(tenant.mailbox, ACME, "none")
    with pytest.raises(Conflict):
        await categories.create(tenant.mailbox, ACME.upper(), "none")
    assert len(await categories.list(tenant.mailbox)) == 1


@pytest.mark.parametrize("kind", ["lost_answer", "drop_after"])
async def test_a_lost_answer_to_a_creation_is_found_out(
    tenant: Tenant, categories: MasterCategories, kind: str
) -> None:
    tenant.fault(kind, {"method": "POST"})
    made = await categories.create(tenant.mailbox, ACME, "preset2")
    assert await categories.list(tenant.mailbox) == [made]


async def test_trouble_that_passes_is_waited_for_and_never_creates_twice(
    tenant: Tenant, categories: MasterCategories
) -> None:
    tenant.fault("status", {"method": "GET"}, status=503, times=2)
    assert await categories.list(tenant.mailbox) == []
    tenant.fault("status", {"method": "POST"}, status=503)
    with pytest.raises(StoreUnavailable):
        await categories.create(tenant.mailbox, ACME, "none")
    assert await categories.list(tenant.mailbox) == []
    made = await categories.create(tenant.mailbox, ACME, "none")
    tenant.fault("status", {"method": "PATCH"}, status=504)
    assert (await categories.recolour(tenant.mailbox, made.id, "preset9")).color == "preset9"
    tenant.fault("drop_after", {"method": "DELETE"})
    await categories.delete(tenant.mailbox, made.id)
    assert await categories.list(tenant.mailbox) == []


async def test_what_graph_refuses_is_told(tenant: Tenant, categories: MasterCategories) -> None:
    with pytest.raises(StoreRefused, match="RequestBodyRead"):
        await categories.create(tenant.mailbox, ACME, "preset25")
    found = tenant.simulator.state.find_mailbox(tenant.mailbox)
    assert found is not None
    found.enabled = False
    for call in (
        categories.list(tenant.mailbox),
        categories.create(tenant.mailbox, ACME, "none"),
        categories.recolour(tenant.mailbox, uuid4(), "none"),
        categories.delete(tenant.mailbox, uuid4()),
    ):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.code == "mailbox_not_found"
