"""What is asked of the API so that its description has examples: one person's first weeks.

Each request is accepted. Nora is added, archives a week, changes and decides. An Admin and a colleague do
what people do to each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

import httpx

from infra.local import identities
from infra.local.api import Api
from infra.local.errors import LocalError

NORA: Final = "nora.berg@example.com"
#: Whose calendar Nora wants to archive, too.
MARCUS: Final = "marcus.reed@example.com"
_WEEK: Final[dict[str, Any]] = {
    "window_start": "2026-01-12T00:00:00+01:00",
    "window_end": "2026-01-19T00:00:00+01:00",
}
_PATIENCE_SECONDS: Final = 180.0

type Json = Any
#: Calls an admin route of the simulator: method, path below it, body.
type Simulator = Callable[[str, str, Json], Awaitable[Json]]


class Notes(Protocol):
    """Keeps what was asked and answered."""

    def note(self, method: str, template: str, body: Json, answer: httpx.Response) -> None:
        """One accepted request to a path of the description."""

    def note_problem(self, answer: httpx.Response) -> None:
        """The answer to a request that was refused."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who asks: Nora; Marcus, whose calendar she reads; two Admins; Nora with the role Admin."""

    nora: Api
    marcus: Api
    admin: Api
    other_admin: Api
    chief: Api
    #: Somebody whose token is none.
    stranger: Api


@dataclass(slots=True)
class Story:
    """Tells the story once; it needs a demonstration tenant in which Nora is no user yet."""

    cast: Cast
    simulator: Simulator
    notes: Notes
    ids: dict[str, str] = field(default_factory=dict)

    async def tell(self) -> None:
        """All of it, in order. Raises LocalError at the first request that is refused."""
        for chapter in (
            self._people,
            self._calendars,
            self._archive,
            self._overlaps,
            self._same_meeting,
            self._categories,
            self._looking_after,
            self._another_mailbox,
            self._tenant,
            self._refusals,
        ):
            await chapter()

    async def end(self) -> None:
        """Nora leaves. What the tenant answers about her is taken before."""
        await self._send(self.cast.admin, "POST", "users/{id}/offboard", None, self.ids["user"])

    async def _people(self) -> None:
        admin = self.cast.admin
        user = await self._send(admin, "POST", "users", {"address": NORA, "display_name": "Nora Berg"})
        self.ids["user"] = user["id"]
        named = f"users/{user['id']}"
        await self._change(
            admin, "PATCH", "users/{id}", {"display_name": "Nora Berg"}, user["id"], read=named
        )
        listed = {"addresses": [NORA, MARCUS, "somebody.new@example.com"], "dry_run": True}
        await self._send(admin, "POST", "users/bulk", listed)
        await self._send(admin, "POST", "invitations", {"address": "kim.lind@example.com", "days": 30})
        why = {"reason": "Nora is missing; the police ask for today's appointments.", "minutes": 30}
        access = await self._send(admin, "POST", "users/{id}/break-glass-accesses", why, user["id"])
        await self._send(admin, "POST", "break-glass-accesses/{id}/close", None, access["id"])
        hold = {"reason": "A court needs her record of work: 4 Ob 12/26."}
        await self._send(admin, "PUT", "users/{id}/legal-hold", hold, user["id"])
        await admin.request("DELETE", f"{named}/legal-hold")
        erasure = await self._send(admin, "POST", "users/{id}/erasures", {"remove_copies": False}, user["id"])
        await self._send(admin, "POST", "user-erasures/{id}/withdraw", None, erasure["id"])
        assistant = {"assistant_id": identities.object_id(MARCUS)}
        await self._send(self.cast.nora, "PUT", "me/assistant", assistant)

    async def _calendars(self) -> None:
        nora, user = self.cast.nora, self.ids["user"]
        wish = {"store": "local", "name": "Evening course"}
        made = await self._send(nora, "POST", "users/{id}/calendars", wish, user)
        local = self.ids["local"] = made["local_calendar_id"]
        await self._change(
            nora,
            "PATCH",
            "local-calendars/{id}",
            {"name": "Evening courses"},
            local,
            read=f"local-calendars/{local}",
        )
        event = {
            "subject": "Spanish",
            "start": "2026-01-14T17:00:00Z",
            "end": "2026-01-14T18:30:00Z",
            "start_zone": "Europe/Vienna",
            "location": "Room 12",
        }
        made = await self._send(nora, "POST", "local-calendars/{id}/events", event, local)
        await self._change(
            nora,
            "PATCH",
            "local-calendars/{id}/events/{event_id}",
            {"end": "2026-01-14T19:00:00Z", "location": "Room 14"},
            local,
            made["id"],
            read=f"local-calendars/{local}/events/{made['id']}",
        )
        reference = {"reference": f"msgraph://{NORA}/calendar"}
        await self._send(nora, "POST", "users/{id}/calendars/resolution", reference, user)

    async def _archive(self) -> None:
        nora = self.cast.nora
        await self._event("Retrospective", "2026-01-16T09:00:00", "2026-01-16T10:00:00", "Acme - billable")
        await self._event("Call with Northwind", "2026-01-16T09:30:00", "2026-01-16T10:30:00")
        await self._event("Extended", "2026-01-12T10:00:00", "2026-01-12T10:30:00")
        # No meeting begins then.
        await self._event("Late start", "2026-01-15T18:00:00", "2026-01-15T18:15:00")
        made = await self._send(
            nora,
            "POST",
            "archive-configurations",
            {
                "user_id": self.ids["user"],
                "name": "Work",
                "source": f"msgraph://{NORA}/calendar",
                "archive": f"msgraph://{NORA}/calendars/Archive",
                "create_archive_calendar": True,
                "time_zone": "Europe/Vienna",
                "archive_from": "2026-01-12",
                "overlap_policy": "flag",
                "schedule": {"kind": "daily", "at": "02:00"},
            },
        )
        archive = self.ids["archive"] = made["id"]
        await self._change(
            nora,
            "PATCH",
            "archive-configurations/{id}",
            {
                "lookback_days": 14,
                "schedule": {"kind": "weekly", "at": "02:00", "days": ["monday", "thursday"]},
            },
            archive,
            read=f"archive-configurations/{archive}",
        )
        await self._read(nora, "archive-configurations/{id}/plan", archive, **_WEEK)
        self.ids["run"] = await self._run()
        await self._read(nora, "months/{month}", "2026-01")

    async def _overlaps(self) -> None:
        nora = self.cast.nora
        found = (await nora.request("GET", "overlaps", status="flagged")).json()["items"]
        if len(found) < 2:
            raise LocalError(f"{len(found)} overlaps wait for Nora, the story needs two")
        answer = await nora.request("GET", f"overlaps/{found[0]['id']}")
        kept = [answer.json()["members"][0]["source_key"]]
        resolved = await self._send(
            nora,
            "POST",
            "overlaps/{id}/resolution",
            {"action": "keep", "kept": kept},
            found[0]["id"],
            etag=answer.headers["ETag"],
        )
        await self._over("archive-runs", resolved["run_id"])
        answer = await nora.request("GET", f"overlaps/{found[1]['id']}")
        choice = {"id": found[1]["id"], "if_match": answer.headers["ETag"], "action": "keep_all"}
        decided = await self._send(nora, "POST", "overlaps/resolutions", {"items": [choice]})
        await self._over("archive-runs", decided["items"][0]["run_id"])

    async def _same_meeting(self) -> None:
        """Nora deletes a review and enters it again a day later: is it the same meeting?"""
        nora, path = self.cast.nora, f"mailboxes/{NORA}/events"
        events = (await self.simulator("GET", f"{path}?calendar=Calendar", None))["value"]
        review = next(event for event in events if event["subject"] == "Review")
        await self.simulator("DELETE", f"{path}/{review['id']}", None)
        await self._event("Review", "2026-01-15T14:00:00", "2026-01-15T16:00:00", "Northwind - billable")
        await self._run()
        (item,) = (await nora.request("GET", "action-items", status="open")).json()["items"]
        answered = await self._send(
            nora, "POST", "action-items/{id}/answer", {"answer": "one_meeting"}, item["id"]
        )
        if answered["run_id"]:
            await self._over("archive-runs", answered["run_id"])
        planning = await self._appointment("Planning")
        edited = await self._change(
            nora,
            "PATCH",
            "appointments/{id}",
            {"location": "Room 2", "categories": ["Acme - billable"]},
            planning,
            read=f"appointments/{planning}",
        )
        await self._over("archive-runs", edited["id"])

    async def _categories(self) -> None:
        nora = self.cast.nora
        wish = {"store": "outlook", "name": "Initech - billable", "color": "preset4"}
        made = await self._send(nora, "POST", "categories", wish)
        read = f"categories/{made['id']}"
        await self._change(nora, "PATCH", "categories/{id}", {"color": "preset7"}, made["id"], read=read)
        await self._send(nora, "POST", "categories/missing", {"color": "preset2"})
        rule = {"relation": "subject", "match": "Report writing", "category": "Acme - billable"}
        made = await self._send(nora, "POST", "category-rules", rule)
        read = f"category-rules/{made['id']}"
        await self._change(nora, "PATCH", "category-rules/{id}", {"auto_apply": True}, made["id"], read=read)
        await self._read(nora, "categories/suggestions", **_WEEK)
        report = await self._appointment("Report writing")
        choices = {"choices": [{"appointment_id": report, "category": "Acme - billable"}]}
        await self._send(nora, "POST", "categories/suggestions/apply", choices)
        rules = {"rules": _WEEK | {"configuration_id": self.ids["archive"]}}
        await self._send(nora, "POST", "categories/suggestions/apply", rules)

    async def _looking_after(self) -> None:
        nora, archive = self.cast.nora, self.ids["archive"]
        # Somebody writes into the archive calendar by hand.
        await self._event("Lunch", "2026-01-13T12:00:00", "2026-01-13T13:00:00", calendar="Archive")
        of_archive = "archive-configurations/{id}"
        asked = await self._send(nora, "POST", f"{of_archive}/verifications", _WEEK, archive)
        self.ids["verification"] = asked["id"]
        await self._over("verifications", asked["id"])
        await self._send(nora, "POST", f"{of_archive}/backfill", {"archive_from": "2025-12-01"}, archive)
        await self._until(f"archive-configurations/{archive}/backfill", "status", "completed")
        told = (await nora.request("GET", "notifications")).json()["items"]
        read = f"notifications/{told[0]['id']}"
        await self._change(nora, "PATCH", "notifications/{id}", {"read": True}, told[0]["id"], read=read)
        await self._send(nora, "POST", "notifications/read", {"until": told[0]["updated_at"]})
        wish = {"private_events": False}
        await self._send(nora, "POST", "users/{id}/exports", wish, self.ids["user"])

    async def _another_mailbox(self) -> None:
        """Nora, an Admin now, archives Marcus' calendar. Marcus objects, is overruled, and finally agrees."""
        cast, of = self.cast, "mailbox-approvals/{id}"
        wish = {
            "user_id": self.ids["user"],
            "name": "Marcus Reed",
            "source": f"msgraph://{MARCUS}/calendar",
            "archive": f"msgraph://{NORA}/calendars/Marcus%20Reed",
            "create_archive_calendar": True,
            "time_zone": "Europe/Vienna",
            "archive_from": "2026-01-01",
            "schedule": {"kind": "monthly", "at": "03:00", "day_of_month": 1},
        }
        made = (await cast.chief.request("POST", "archive-configurations", wish)).json()
        ask = "archive-configurations/{id}/approval"
        asked = await self._send(cast.chief, "POST", ask, {"days": 90}, made["id"])
        why = {"reason": "It does not say what for."}
        await self._send(cast.admin, "POST", f"{of}/refuse", why, asked["id"])
        asked = await self._send(cast.chief, "POST", ask, {"days": 90}, made["id"])
        held = {"days": 60, "reason": "Marcus left; the cases are taken over."}
        await self._send(cast.admin, "POST", f"{of}/approve", held, asked["id"])
        await self._send(cast.marcus, "POST", f"{of}/object", None, asked["id"])
        decided = {"goes_on": True, "reason": "The cases cannot wait; 60 days are enough."}
        await self._send(cast.other_admin, "POST", f"{of}/objection/decide", decided, asked["id"])
        await self._send(cast.marcus, "POST", f"{of}/agree", {"details": False}, asked["id"])
        why = {"reason": "The cases are handed over."}
        await self._send(cast.admin, "POST", f"{of}/withdraw", why, asked["id"])

    async def _tenant(self) -> None:
        admin = self.cast.admin
        settings = {"overlap_expiry_days": 30, "travel_words": ["travel", "flight", "Anreise"]}
        await self._change(admin, "PATCH", "system/settings", settings, read="system/settings")
        wish = {"id": "7d9f3d2c-3c1f-4b52-9a52-4e3f0a5d8c11", "name": "Contoso"}
        made = await self._send(admin, "POST", "tenants", wish)
        read = f"tenants/{made['id']}"
        await self._change(admin, "PATCH", "tenants/{id}", {"active": False}, made["id"], read=read)

    async def _refusals(self) -> None:
        """What people do wrong, once for each status that they can bring about."""
        admin, user = self.cast.admin, f"users/{self.ids['user']}"
        again, renamed = {"address": NORA}, {"display_name": "Nora Lind"}
        unknown = "appointments/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
        for who, method, path, body, etag, status in (
            (admin, "PATCH", user, renamed, "7", HTTPStatus.BAD_REQUEST),
            (self.cast.stranger, "GET", "me", None, None, HTTPStatus.UNAUTHORIZED),
            (self.cast.nora, "POST", "users", again, None, HTTPStatus.FORBIDDEN),
            (self.cast.nora, "GET", unknown, None, None, HTTPStatus.NOT_FOUND),
            (admin, "PUT", "users", None, None, HTTPStatus.METHOD_NOT_ALLOWED),
            (admin, "POST", "users", again, None, HTTPStatus.CONFLICT),
            (admin, "PATCH", user, renamed, '"0"', HTTPStatus.PRECONDITION_FAILED),
            (admin, "POST", "users", {"address": "Nora"}, None, HTTPStatus.UNPROCESSABLE_ENTITY),
            (admin, "PATCH", user, renamed, None, HTTPStatus.PRECONDITION_REQUIRED),
        ):
            answer = await who.request(method, path, body, if_match=etag, accept=(status,))
            if answer.status_code != status:
                raise LocalError(f"{method} {path} answered {answer.status_code} in place of {status}")
            self.notes.note_problem(answer)

    async def _send(
        self, who: Api, method: str, template: str, body: Json, *ids: str, etag: str | None = None
    ) -> Json:
        """A request to ``template`` with its ids filled in; the answer's JSON."""
        answer = await who.request(method, _filled(template, ids), body, if_match=etag)
        self.notes.note(method, f"/api/v1/{template}", body, answer)
        return answer.json() if answer.content else None

    async def _read(self, who: Api, template: str, *ids: str, **parameters: Json) -> None:
        answer = await who.request("GET", _filled(template, ids), **parameters)
        self.notes.note("GET", f"/api/v1/{template}", None, answer)

    async def _change(
        self, who: Api, method: str, template: str, body: Mapping[str, Json], *ids: str, read: str
    ) -> Json:
        """As ``_send``, of what stands at ``read``, with the ETag that it has there."""
        etag = (await who.request("GET", read)).headers["ETag"]
        return await self._send(who, method, template, body, *ids, etag=etag)

    async def _run(self) -> str:
        """Archive the week; returns the run's id."""
        template = "archive-configurations/{id}/runs"
        started = await self._send(self.cast.nora, "POST", template, _WEEK, self.ids["archive"])
        await self._over("archive-runs", started["id"])
        return str(started["id"])

    async def _over(self, resource: str, key: str) -> None:
        await self._until(f"{resource}/{key}", "progress", 100)

    async def _until(self, path: str, name: str, value: Json) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found = None
            while found != value:
                await asyncio.sleep(0.2)
                found = (await self.cast.nora.request("GET", path)).json()[name]

    async def _event(
        self, subject: str, start: str, end: str, *categories: str, calendar: str = "Calendar"
    ) -> None:
        """An event of Nora's, entered in Outlook; times in Vienna."""
        times = {
            name: {"dateTime": when, "timeZone": "Europe/Vienna"}
            for name, when in (("start", start), ("end", end))
        }
        event = {"subject": subject, "categories": list(categories), **times}
        await self.simulator("POST", f"mailboxes/{NORA}/events?calendar={calendar}", event)

    async def _appointment(self, subject: str) -> str:
        found = (await self.cast.nora.request("GET", "appointments", text=subject, **_WEEK)).json()["items"]
        return str(found[0]["id"])


def _filled(template: str, ids: Sequence[str]) -> str:
    """The template with an id in the place of each parameter, in their order."""
    for each in ids:
        begin, _, rest = template.partition("{")
        template = begin + each + rest.partition("}")[2]
    return template
