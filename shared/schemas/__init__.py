"""The public contract, one module for each kind of resource.

``from shared.schemas import users`` loads nothing yet. A module is loaded on first use, so a start does not
pay for models that no request needs (cold start).
"""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        """The module of this name, loaded on first use. Raises AttributeError if it does not exist."""
        spec = None if name.startswith("_") else find_spec(f"{__name__}.{name}")
        if spec is None or spec.loader is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        spec.loader = LazyLoader(spec.loader)
        module = sys.modules[spec.name] = globals()[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
