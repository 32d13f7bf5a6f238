"""Every table, for code that needs the whole schema, such as migrations and erasure."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from sqlalchemy import MetaData

from shared.database import models
from shared.database.models.base import Base

for _module in iter_modules(models.__path__):
    import_module(f"{models.__name__}.{_module.name}")

METADATA: Final[MetaData] = Base.metadata
