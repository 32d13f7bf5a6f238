"""Entities: a class, a function, and one that talks to others."""

from typing import Any

import azure.durable_functions as df
from durabletask import entities

bp = df.Blueprint()


class Counter(entities.DurableEntity):
    """A number that can be added to, read, and deleted."""

    def add(self, amount: int) -> int:
        total = (self.get_state(int) or 0) + amount
        self.set_state(total)
        return total

    def get(self) -> int:
        return self.get_state(int) or 0

    def forget(self) -> None:
        self.set_state(None)

    def boom(self) -> None:
        raise ArithmeticError("this counter does not like that")


bp.entity_trigger(context_name="context", entity_name="counter")(Counter)


@bp.entity_trigger(context_name="context", entity_name="relay")
def relay(ctx: entities.EntityContext, data: Any) -> Any:
    if ctx.operation == "pass_on":
        ctx.signal_entity(entities.EntityInstanceId("counter", data["key"]), "add", data["amount"])
    elif ctx.operation == "begin":
        return ctx.schedule_new_orchestration(data["name"], data["input"], instance_id=data.get("id"))
    return None
