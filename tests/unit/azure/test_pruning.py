"""What the product imports is in the lock and outlives the pruning of the package."""

import sys
import sysconfig
import warnings
from importlib.metadata import packages_distributions
from pathlib import Path

from infra.local.azure import package, pruning
from shared.graph import sdk
from tests.unit.architecture.test_imports import imports_of, modules

INSTALLED = Path(sysconfig.get_path("purelib"))


def imported() -> set[str]:
    return {name for _, path in modules() for name in imports_of(path)}


def test_every_distribution_that_is_imported_is_in_the_lock() -> None:
    locked = package.locked()
    by_module = packages_distributions()
    for top in sorted({name.partition(".")[0] for name in imported()} & set(by_module)):
        names = {name.lower().replace("_", "-").replace(".", "-") for name in by_module[top]}
        if top not in ("shared", "infra", "tests"):
            assert names & set(locked), f"{top} ({', '.join(names)})"


def test_every_module_that_is_imported_outlives_the_pruning(tmp_path: Path) -> None:
    for folder in ("users/item", "models"):
        (tmp_path / "msgraph" / "generated" / folder).mkdir(parents=True)
    wanted = set()
    for name in imported():
        path = Path(*name.split("."))
        forms = (path.with_suffix(".py") if len(path.parts) == 1 else path.parent / f"{path.name}.py",)
        wanted |= {form for form in (*forms, path / "__init__.py") if (INSTALLED / form).is_file()}
    assert Path("jinja2/__init__.py") in wanted
    assert len(wanted) > 30
    for path in wanted:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    pruning.prune(tmp_path)
    assert sorted(str(path) for path in wanted if not (tmp_path / path).is_file()) == []


def test_what_the_sdk_loads_for_our_paths_outlives_the_pruning(tmp_path: Path) -> None:
    client = sdk.make_sdk(StandIn())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        user = client.users.by_user_id("u")
        for builder in (
            *(user.mailbox_settings, user.outlook.master_categories, user.calendars),
            user.outlook.master_categories.by_outlook_category_id("c"),
            user.calendars.by_calendar_id("c").events,
        ):
            builder.to_get_request_information()
    sdk.error_types()
    loaded = {
        Path(str(module.__file__)).relative_to(INSTALLED)
        for name, module in list(sys.modules.items())
        if name.startswith("msgraph.") and getattr(module, "__file__", None)
    }
    assert len(loaded) > 12
    for path in loaded:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    pruning.prune(tmp_path)
    assert sorted(str(path) for path in loaded if not (tmp_path / path).is_file()) == []


class StandIn:
    """Of the adapter, which builders only keep."""

    base_url = "http://127.0.0.1"

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None
