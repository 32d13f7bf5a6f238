"""Microsoft Graph and Entra on one machine, as strict as the real ones; it knows nothing of the product."""

from .server import GraphSimulator
from .settings import Settings

__all__ = ["GraphSimulator", "Settings"]
