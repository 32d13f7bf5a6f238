"""How an acceptance point tells what it measured, and how ``./dev accept`` learns of it."""

import json
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from infra.local import app_instances
from infra.local.stack import Stack
from infra.local.state_folder import delete_state
from tests.acceptance.simulated_worlds import WORLDS, SimulatedWorlds

#: File that gets one JSON line for each point; set by ``./dev accept``.
RESULTS = "ACCEPTANCE_RESULTS"

_MEASURED = pytest.StashKey[dict[str, str]]()


class AcceptancePoint(Protocol):
    """Records what a point measured and the bound it must keep, before the assertion that compares them."""

    def __call__(self, *, measured: object, bound: object) -> None:
        """Both are shown as text."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick``: fewer rounds; ``--point ID``: only these points."""
    group = parser.getgroup("acceptance points")
    group.addoption("--quick", action="store_true", help="fewer rounds")
    group.addoption("--point", action="append", default=[], help="only the point of this id; repeatable")


@pytest.fixture
def quick(request: pytest.FixtureRequest) -> bool:
    """Whether fewer rounds are wanted."""
    return bool(request.config.getoption("--quick", default=False))


@pytest.fixture
def acceptance_point(request: pytest.FixtureRequest) -> AcceptancePoint:
    """``acceptance_point(measured=…, bound=…)``; calling it again replaces what was told before."""

    def record(*, measured: object, bound: object) -> None:
        request.node.stash[_MEASURED] = {"measured": str(measured), "bound": str(bound)}

    return record


@pytest.fixture
def worlds(request: pytest.FixtureRequest) -> SimulatedWorlds:
    """The simulated worlds of this session, started already or not."""
    return request.config.stash[WORLDS]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One running system for the points of a module; each has people of its own."""
    folder = tmp_path_factory.mktemp("system") / "state"
    async with Stack(folder) as system:
        yield system
    delete_state(folder)


def point_id(item: pytest.Item) -> str:
    """Id of a point: the name of its test without ``test_``, hyphens for underscores."""
    return item.name.removeprefix("test_").replace("_", "-")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only the points asked for; points are never run by several workers, they measure.

    First come those that need the machine for themselves. The simulated worlds run beside the rest, and are
    waited for at the end.
    """
    names = config.getoption("--point", default=[])
    wanted = {name.removeprefix("test_").replace("_", "-") for name in names}
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
    several = bool(os.environ.get(app_instances.SETTING))
    left_out = [
        item
        for item in items
        if item.path.is_relative_to(here)
        and (
            (wanted and not _is_wanted(item, wanted)) or (several and item.get_closest_marker("one_instance"))
        )
    ]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    if any(_is_simulation(item) for item in items):
        config.stash[WORLDS] = SimulatedWorlds.of(quick=config.getoption("--quick", default=False))
        items.sort(key=lambda item: (_is_simulation(item), not _is_alone(item)))


def _is_simulation(item: pytest.Item) -> bool:
    return "worlds" in getattr(item, "fixturenames", ())


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the simulated worlds once no point needs the machine for itself any more."""
    worlds = item.config.stash.get(WORLDS, None)
    if worlds is not None and not _is_alone(item):
        worlds.start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End simulated worlds that were not waited for."""
    if (worlds := session.config.stash.get(WORLDS, None)) is not None:
        worlds.stop()


def _is_wanted(item: pytest.Item, wanted: set[str]) -> bool:
    """By its id, or by the id without the brackets that tell the parts of a point apart."""
    return bool({point_id(item), point_id(item).partition("[")[0]} & wanted)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the point to the results once it is decided."""
    report: pytest.TestReport = yield
    path = os.environ.get(RESULTS)
    decided = report.when == "call" or (report.when == "setup" and not report.passed)
    if path and (decided or report.failed):
        with Path(path).open("a", encoding="utf-8") as results:
            results.write(json.dumps(_line(item, report)) + "\n")
    return report


def _line(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    function = getattr(item, "function", None)
    what = (getattr(function, "__doc__", None) or point_id(item)).strip().splitlines()[0]
    told = item.stash.get(_MEASURED, {"measured": "", "bound": ""})
    return {"id": point_id(item), "what": what, **told, "ok": report.passed, "skipped": report.skipped}
