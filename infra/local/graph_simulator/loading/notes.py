"""How readers of calendar files tell what they read otherwise than it is written."""

from typing import Protocol

from infra.local.graph_simulator.loading.text import Component


class Note(Protocol):
    """Takes a remark on a component; ``technical``: its dates and hours are as written."""

    def __call__(self, event: Component, reason: str, *, technical: bool = False) -> None:
        """Keep the remark once."""
