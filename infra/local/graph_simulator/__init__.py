"""Microsoft Graph and Entra on one machine, as strict as the real ones; it knows nothing of the product."""

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.server import GraphSimulator

__all__ = ["GraphSimulator", "Settings"]
