"""A counter, an entity that tells about itself, and one that talks to others."""

from typing import Any

import azure.durable_functions as df
from durabletask import entities

bp = df.Blueprint()


class Counter(entities.DurableEntity):
    """A number."""

    def add(self, amount: int) -> int:
        total = (self.get_state(int) or 0) + amount
        self.set_state(total)
        return total

    def get(self) -> int:
        return self.get_state(int) or 0

    def reset(self) -> None:
        self.set_state(0)

    def refuse(self) -> None:
        raise ArithmeticError("no")


bp.entity_trigger(context_name="context", entity_name="counter")(Counter)


@bp.entity_trigger(context_name="context", entity_name="thing")
def thing(ctx: entities.EntityContext, data: Any) -> Any:
    match ctx.operation:
        case "put":
            ctx.set_state(data)
        case "drop":
            ctx.set_state(None)
        case "tell":
            return {
                "entity": ctx.entity_id.entity,
                "key": ctx.entity_id.key,
                "operation": ctx.operation,
                "state": ctx.get_state(),
            }
    return None


@bp.entity_trigger(context_name="context", entity_name="messenger")
def messenger(ctx: entities.EntityContext, key: str) -> Any:
    if ctx.operation == "signal":
        ctx.signal_entity(entities.EntityInstanceId("counter", key), "add", 7)
        return None
    return ctx.schedule_new_orchestration("signals", key)
