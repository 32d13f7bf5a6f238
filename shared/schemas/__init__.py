"""The public contract, a module for each kind of resource.

``from shared.schemas import users`` loads nothing yet: a module is loaded when something of it is first used,
so that a start costs nothing for models that no request needs (cold start).
"""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        """The module of this name, to be loaded at its first use; raises AttributeError if there is none."""
        spec = None if name.startswith("_") else find_spec(f"{__name__}.{name}")
        if spec is None or spec.loader is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        spec.loader = LazyLoader(spec.loader)
        module = sys.modules[spec.name] = globals()[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
