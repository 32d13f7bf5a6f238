"""``./dev run``: start everything, seed, archive, report, serve."""

import argparse
import asyncio
import re
import shlex
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from infra.local import (
    another_mailbox,
    app_instances,
    calendar_file,
    changed_meeting,
    demonstration,
    identities,
    month_console,
    month_report,
    people_report,
    report,
    vitals,
)
from infra.local.api import Api
from infra.local.calendar_file import CalendarFile, Wish
from infra.local.errors import LocalError
from infra.local.month_report import Months, MonthWish
from infra.local.outcome import ArchiveOutcome, outcome_of
from infra.local.progress import Progress
from infra.local.runs import Wanted, archive
from infra.local.seeding import Person, load_mailboxes, register
from infra.local.stack import ROOT, Stack
from infra.local.told import needs_of

_PORT = 7071


@dataclass(frozen=True, slots=True)
class _Options:
    once: bool
    as_json: bool
    verbose: bool
    port: int
    scale: str
    calendars: tuple[tuple[Path, bytes], ...]
    wish: Wish
    month: MonthWish
    state: Path
    instances: Mapping[str, int] | None

    @property
    def demonstrated(self) -> bool:
        """Whether there is a demonstration tenant: not where somebody brings a calendar of their own."""
        return not self.calendars


async def run(arguments: Sequence[str]) -> int:
    """Exit status 0 only if nothing is missing, doubled or failed and every source event is accounted for.

    Ctrl-C and SIGTERM stop every part in order; while serving that is the ordinary end.
    """
    options = _parse(arguments)
    tell = Progress()
    stack = Stack(options.state, port=options.port, instances=options.instances, progress=tell)
    async with vitals.told(stack):
        return await _work(stack, options, tell)


async def _work(stack: Stack, options: _Options, tell: Progress) -> int:
    async with AsyncExitStack() as parts:
        with tell.speaking():
            await parts.enter_async_context(stack)
            outcomes, files = await _unless_a_part_ends(stack, _archive_all(stack, options, tell))
            needs = await needs_of(stack, dict.fromkeys(outcome.address for outcome in outcomes))
            admin = Api(stack.client, stack.api, await stack.token())
            shows_another = options.demonstrated and options.scale == "small"
            another = await another_mailbox.found(stack, admin) if shows_another else None
            changed = await changed_meeting.found(stack) if shows_another else None
        events = {outcome.address: outcome.events for outcome in reversed(outcomes)}
        if options.as_json:
            calendars = [
                calendar_file.as_json(file, events[file.person.address], found.weeks)
                | month_report.as_json(found)
                for file, found in files
            ]
            print(report.as_json(outcomes, calendars, needs, another, changed), flush=True)
        else:
            _print_months(files, events)
            if options.demonstrated:
                print()
                people_report.print_people(
                    month_console.console(), outcomes, needs, None if stack.port == _PORT else stack.port
                )
            if another is not None:
                month_console.console().print("\n" + another_mailbox.as_text(another))
            if changed is not None:
                month_console.console().print("\n" + changed_meeting.as_text(changed))
            if options.verbose:
                print("\n" + report.as_table(outcomes))
            print(flush=True)
        _write(files, options.month, tell)
        problems = report.problems(outcomes)
        for problem in problems:
            print(f"dev: {problem}", file=sys.stderr)
        status = 1 if problems else 0
        if options.once:
            return status
        # With --json, stdout holds nothing but the object.
        print(await _where(stack), file=sys.stderr if options.as_json else sys.stdout, flush=True)
        try:
            raise LocalError(await _told_at_once(stack))
        except asyncio.CancelledError:
            return status


def _print_months(
    files: Sequence[tuple[CalendarFile, Months]], events: Mapping[str, Sequence[dict[str, Any]]]
) -> None:
    """A page for each file."""
    console = month_console.console()
    for file, found in files:
        console.print()
        month_console.print_month(
            console,
            found.shown,
            source=file.path.name,
            overview=found.overview,
            read=calendar_file.reading_lines(file, events[file.person.address]),
        )
    console.file.flush()


def _write(
    files: Sequence[tuple[CalendarFile, Months]], wish: MonthWish, tell: Callable[[str], None]
) -> None:
    for number, (file, found) in enumerate(files):
        for path in month_report.write(
            found, wish, file.person.address.partition("@")[0] if number else None
        ):
            tell(f"wrote {path}")


async def _archive_all(
    stack: Stack, options: _Options, tell: Callable[[str], None]
) -> tuple[list[ArchiveOutcome], list[tuple[CalendarFile, Months]]]:
    mailboxes = demonstration.tenant(datetime.now(UTC), options.scale) if options.demonstrated else []
    unknown = [demonstration.newcomer()] if options.demonstrated and options.scale == "small" else []
    if new := await load_mailboxes(stack, [*mailboxes, *unknown]):
        tell(f"loaded {len(new)} mailboxes of the demonstration tenant")
    files = []
    if options.calendars:
        # The owner of a calendar file wants their month now. The real Graph takes 10,000 requests in 10
        # minutes.
        await stack.simulator("PATCH", "settings", {"requests_per_10_min": None})
    for path, raw in options.calendars:
        tell(f"reading {path.name}")
        files.append(await calendar_file.load_file(stack, path, raw, options.wish))
    people = [
        Person(
            mailbox.address,
            mailbox.display_name,
            mailbox.time_zone,
            mailbox.archive_from,
            archives=mailbox.archives,
        )
        for mailbox in mailboxes
    ]
    api = Api(stack.client, stack.api, await stack.token())
    configurations = await register(stack, api, [*people, *(file.person for file in files)], tell)
    if options.demonstrated and options.scale == "small":
        await another_mailbox.ask(stack, api)
        await changed_meeting.make(stack, api, tell)
    own = {
        file.person.address: configurations[file.person.address, file.person.archives[0].name][0]
        for file in files
    }
    wanted = _wanted(people, configurations)
    for file in files:
        sharing = configurations[file.person.address, file.person.archives[0].name]
        wanted += [Wanted(each, window) for each in sharing for window in file.windows()]
    followed = await archive(api, wanted, tell)
    tell("reading the archive calendars back")
    outcomes = [await outcome_of(stack, entry) for entry in followed]
    found = [
        (
            file,
            await month_report.find(stack, file, own[file.person.address]["id"], options.month, tell),
        )
        for file in files
    ]
    return outcomes, found


def _wanted(
    people: Sequence[Person], configurations: Mapping[tuple[str, str], list[dict[str, Any]]]
) -> list[Wanted]:
    """Of each archive all up to today, and the backfill it has; a mailbox's archives stand together.

    Every configuration of a pair of calendars is followed, so that none hides what another wrote.
    """
    wanted = []
    for person in people:
        for wish in person.archives:
            first, *sharing = configurations[person.address, wish.name]
            wanted += [Wanted(each, _whole_archive(person)) for each in (first, *sharing)]
            if wish.backfill_from:
                wanted.append(Wanted(first, backfill_from=wish.backfill_from))
    return wanted


def _whole_archive(person: Person) -> tuple[datetime, datetime]:
    """All of the archive up to today: at once, not month by month as a backfill does it."""
    zone = ZoneInfo(person.time_zone)
    today = datetime.now(zone).date()
    start, end = (datetime.combine(day, datetime.min.time(), zone) for day in (person.archive_from, today))
    return start, end


async def _unless_a_part_ends[T](stack: Stack, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; raises :class:`LocalError` as soon as a part of the system is gone."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_told_at_once(stack))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done() and not task.done():
            raise LocalError(watch.result())
        return await task
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _told_at_once(stack: Stack) -> str:
    """Waits until a part ends and says so before the others are stopped, which takes its time."""
    reason = await stack.wait_until_a_part_ends()
    print(f"dev: {reason}; stopping the rest", file=sys.stderr, flush=True)
    return reason


async def _where(stack: Stack) -> str:
    """Every URL and a ready token."""
    token = await stack.token()
    usual = stack.state_dir == (ROOT / ".local").resolve()
    system = "" if usual else f" --state {shlex.quote(str(stack.state_dir))}"
    openapi = f"{stack.base_url}/api/openapi.json"
    described = ""
    if (await stack.client.get(openapi)).is_success:
        described = f"\n  description     {stack.base_url}/api/docs\n  OpenAPI         {openapi}"
    return f"""\
Running:
  API             {stack.api}
  health          {stack.base_url}/api/health/ready{described}
  host            {stack.base_url}/admin/host/status
  durable         {stack.base_url}/runtime/webhooks/durabletask/instances
  Graph           {stack.simulator_url}/v1.0
  Entra           {stack.simulator_url}/{identities.TENANT_ID}/v2.0/.well-known/openid-configuration
  simulator       {stack.simulator_url}/_simulator
  PostgreSQL      {stack.database_url}
  logs            {stack.logs}

Token of {identities.ADMIN_ADDRESS} (Admin); others: ./dev token --user ADDRESS --role ROLE{system}
{token}

Try:  curl -H "Authorization: Bearer $(./dev token --role Admin{system})" {stack.api}/users
Stop: Ctrl-C
"""


def _parse(arguments: Sequence[str]) -> _Options:
    parser = argparse.ArgumentParser(
        prog="./dev run", description="Start everything, archive, report, serve.", allow_abbrev=False
    )
    parser.add_argument("--once", action="store_true", help="exit after the report")
    parser.add_argument("--json", action="store_true", help="the report as one JSON object on stdout")
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"Functions host; the simulator takes the next ({_PORT})"
    )
    parser.add_argument(
        "--scale", choices=demonstration.SCALES, default="small", help="size of the tenant (small)"
    )
    parser.add_argument(
        "--calendar",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="archive this too: .ics, Outlook's .csv, a .zip or a folder of them; repeatable",
    )
    parser.add_argument(
        "--from", dest="start", type=_date, metavar="DATE", help="first date of the files to take"
    )
    parser.add_argument("--to", dest="end", type=_date, metavar="DATE", help="date to stop before")
    parser.add_argument("--zone", type=_zone, help="IANA zone of files that name none")
    parser.add_argument(
        "--owner", type=_owner, metavar="ADDRESS", help="whose the files are, where they do not say it"
    )
    parser.add_argument(
        "--month", type=_month, metavar="YYYY-MM", help="the month that is shown (the latest that has begun)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write the month as a page")
    parser.add_argument("--lines", type=Path, metavar="FILE.csv", help="write a line for each event of it")
    parser.add_argument(
        "--verbose", action="store_true", help="also what became of the events, and what it cost"
    )
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="state folder (.local)")
    parser.add_argument(
        "--instances",
        type=_instances,
        metavar="GROUPS",
        help="several instances of the app, as http=2,durable=2,timer=1; or how many that do everything",
    )
    given = parser.parse_args(arguments)
    own = (given.start, given.end, given.zone, given.owner, given.month, given.report, given.lines)
    if any(own) and not given.calendar:
        parser.error("--from, --to, --zone, --owner, --month, --report and --lines belong to --calendar")
    for path in filter(None, (given.report, given.lines)):
        if path.is_dir() or not path.absolute().parent.is_dir():
            parser.error(f"{path} cannot be written: its folder does not exist, or it is one")
    if given.start and given.end and given.start >= given.end:
        parser.error("--from must lie before --to")
    # Read before anything starts: a wrong name should not cost a minute.
    calendars = tuple(calendar_file.read_files(given.calendar, _warn))
    wish = Wish(given.start, given.end, given.zone, given.owner)
    return _Options(
        once=given.once,
        as_json=given.json,
        verbose=given.verbose,
        port=given.port,
        scale=given.scale,
        calendars=calendars,
        wish=wish,
        month=MonthWish(given.month, given.report, given.lines, given.json),
        state=given.state,
        instances=given.instances,
    )


def _instances(text: str) -> Mapping[str, int]:
    try:
        return app_instances.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-01-31") from error


def _month(text: str) -> str:
    if not re.fullmatch(r"(19|2[01])[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no month like 2026-03")
    return text


def _warn(text: str) -> None:
    print(f"dev: {text}", file=sys.stderr, flush=True)


def _owner(text: str) -> str:
    if not re.fullmatch(r"[^@\s]{1,200}@[^@\s]{1,200}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no e-mail address like kim@example.com")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise argparse.ArgumentTypeError(f"{text!r} is no IANA zone like Europe/Vienna")
    return text
