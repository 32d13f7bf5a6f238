"""Activities; some count in files, so that a test sees every execution, whatever process it was in."""

# The worker takes no parameterised type for a trigger's argument: `dict`, not `dict[str, Any]`.

import asyncio
import os
from pathlib import Path

import azure.durable_functions as df

bp = df.Blueprint()


def _count(name: str) -> int:
    """Counts one more execution under that name and answers which one it is."""
    folder = Path(os.environ["PATTERNS_FOLDER"])
    number = len(list(folder.glob(f"{name}.*"))) + 1
    (folder / f"{name}.{number}").touch()
    return number


@bp.activity_trigger(input_name="name")
async def greet(name: str) -> str:
    return f"hello {name}"


@bp.activity_trigger(input_name="number")
def square(number: int) -> int:
    return number * number


@bp.activity_trigger(input_name="data")
def fail_until(data: dict) -> str:
    attempt = _count(data["name"])
    if attempt < data["succeeds_at"]:
        raise ValueError(f"attempt {attempt} of {data['name']}")
    return f"done at {attempt}"


@bp.activity_trigger(input_name="data")
async def wait_for_file(data: dict) -> str:
    """Counts itself, then waits for the file `release-NAME`."""
    folder = Path(os.environ["PATTERNS_FOLDER"])
    number = _count(data["name"])
    while not (folder / f"release-{data['name']}").exists():
        await asyncio.sleep(0.01)
    return f"released {number}"
