"""Runs the functions of an app in this process, as the host's worker does, for tests of the engine alone."""

import asyncio
import importlib
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azure.functions import EntityContext, OrchestrationContext
from azure.functions._durable_functions import df_dumps, df_loads

from infra.local.functions_host.invocation import FunctionFailed

_KINDS = {"orchestrationTrigger": "orchestration", "activityTrigger": "activity", "entityTrigger": "entity"}
_NAMES = {"orchestration": "orchestration", "activity": "activity", "entity": "entity_name"}


class InProcessApp:
    """The app in `folder`; `calls` lists what was invoked, as (kind, name)."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[tuple[str, str]] = []
        self._functions: dict[tuple[str, str], tuple[Any, str]] = {}
        for function in _load(folder).app.get_functions():
            trigger = function.get_trigger()
            kind = _KINDS.get(trigger.get_binding_name())
            if kind is not None:
                name = getattr(trigger, _NAMES[kind], None) or function.get_function_name()
                self._functions[kind, name] = (function.get_user_function(), trigger.name)

    def names(self, kind: str) -> list[str]:
        """Names of the functions of that kind."""
        return [name for found, name in self._functions if found == kind]

    async def invoke(self, name: str, kind: str, data: str) -> str:
        """Runs a function as the engine asks for it."""
        self.calls.append((kind, name))
        call, parameter = self._functions[kind, name]
        argument = _argument(kind, data)
        try:
            if inspect.iscoroutinefunction(call):
                result = await call(**{parameter: argument})
            else:
                result = await asyncio.to_thread(call, **{parameter: argument})
        except Exception as error:
            raise FunctionFailed(str(error), type(error).__name__, traceback.format_exc()) from error
        return df_dumps(result) if kind == "activity" else str(result)


def _argument(kind: str, data: str) -> Any:
    if kind == "activity":
        return df_loads(data)
    return OrchestrationContext(data) if kind == "orchestration" else EntityContext(data)


def _load(folder: Path) -> Any:
    """Import `function_app` again from `folder`, and leave `sys.modules` as it was."""
    before: Mapping[str, Any] = dict(sys.modules)
    # Another test may have imported the product's own module of that name.
    sys.modules.pop("function_app", None)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("function_app")
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - set(before) | {"function_app"}:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]
        if "function_app" in before:
            sys.modules["function_app"] = before["function_app"]
