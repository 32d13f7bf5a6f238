"""What waits for the people of the local system at the moment, as each of them reads it through the API.

Not what they were told over all time: what was decided since needs nobody.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from infra.local.api import Api
from infra.local.stack import Stack

#: Notifications of these classes say that something is wrong, as long as they are unread.
_TROUBLE = ("run_failed", "job_paused")


@dataclass(frozen=True, slots=True)
class Needs:
    """Overlaps and questions that wait for a person, and unread notifications of trouble."""

    name: str
    overlaps: int = 0
    questions: int = 0
    trouble: int = 0

    @property
    def nothing(self) -> bool:
        """Whether nothing waits."""
        return not (self.overlaps or self.questions or self.trouble)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def as_text(self) -> str:
        """For people: one line, "2 overlaps need Anna"."""
        first = self.name.partition(" ")[0] or self.name
        told = [
            f"{count} {noun if count == 1 else f'{noun}s'} {'needs' if count == 1 else 'need'} {first}"
            for count, noun in (
                (self.overlaps, "overlap"),
                (self.questions, "changed meeting"),
                (self.trouble, "failure"),
            )
            if count
        ]
        return ", ".join(told) or f"nothing needs {first}"


async def needs_of(stack: Stack, addresses: Iterable[str]) -> dict[str, Needs]:
    """By address: what waits for each of them now, whatever was reported and resolved before."""
    found = {}
    for address in addresses:
        api = Api(stack.client, stack.api, await stack.token(address, ("User",)))
        me = (await api.request("GET", "me")).json()
        overlaps = [each async for each in api.items("overlaps", status="flagged")]
        questions = [each async for each in api.items("action-items", status="open")]
        unread = [each async for each in api.items("notifications", unread="true")]
        found[address] = Needs(
            str((me.get("user") or {}).get("display_name") or address),
            len(overlaps),
            len(questions),
            sum(each["kind"] in _TROUBLE for each in unread),
        )
    return found
