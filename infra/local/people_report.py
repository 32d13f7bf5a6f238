"""The demonstration's report for people: by person, what each archive is for, what to try next."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from infra.local.month_console import clean
from infra.local.outcome import ArchiveOutcome
from infra.local.told import Needs

#: The report's word for each outcome of a source event. Outcomes that are errors are printed in red.
_WORDS = {
    "archived": "archived",
    "updated": "updated",
    "unchanged": "unchanged",
    "merged": "exact duplicates",
    "consumed": "changed the times of a meeting",
    "left_out": "left out",
    "flagged": "wait for a decision",
    "locked": "locked",
    "conflict": "edited by hand",
    "failed": "failed",
    "missing": "missing",
    "doubled": "doubled",
}
_WRONG = ("failed", "missing", "doubled")
_PURPOSES = {
    "timesheet": "billable time and travel, for invoices",
    "general": "everything, as a record of what was",
}
_POLICIES = {
    "auto": "clear overlaps are resolved by rule",
    "flag": "what overlaps waits for its owner",
    "keep_all": "what overlaps is kept",
}


def print_people(
    to: Console, outcomes: Sequence[ArchiveOutcome], needs: Mapping[str, Needs], port: int | None
) -> None:
    """The report. ``port`` is that of the API if it is not the usual one."""
    of_person: dict[str, list[ArchiveOutcome]] = {}
    for outcome in outcomes:
        of_person.setdefault(outcome.address, []).append(outcome)
    for address, archives in of_person.items():
        needed = needs.get(address, Needs(address))
        title = Text(clean(needed.name), style="bold")
        title.append(f"  {address}", style="not bold dim")
        waits = Text(needed.as_text(), style="green" if needed.nothing else "yellow")
        to.print(title)
        to.print(Padding(Group(*(line for each in archives for line in _archive(each)), waits), (0, 0, 1, 2)))
    to.print(Text("Try next", style="bold"))
    to.print(Padding(Group(*_next(next(iter(of_person), ""), port)), (0, 0, 0, 2)))


def _archive(outcome: ArchiveOutcome) -> Iterator[RenderableType]:
    about = Text(outcome.name, style="bold")
    about.append(f": {purpose(outcome)}", style="not bold")
    yield about
    counts = outcome.counts
    told = Text(f"{counts['source']} events: ")
    shown = [(name, words) for name, words in _WORDS.items() if counts[name]]
    for number, (name, words) in enumerate(shown):
        if number:
            told.append(", ")
        told.append(f"{counts[name]} {words}", style="red" if name in _WRONG else "")
    yield Padding(told, (0, 0, 0, 2))
    if backfill := outcome.about["backfill"]:
        done, total = backfill["months_done"], backfill["months_total"]
        yield Padding(
            Text(f"older months: {done} of {total} archived, {backfill['status']}", style="dim"), (0, 0, 0, 2)
        )


def purpose(outcome: ArchiveOutcome) -> str:
    """What an archive is for, in words."""
    about = outcome.about
    words = f"{_PURPOSES[about['purpose']]}; {_POLICIES[about['overlap_policy']]}"
    return f"{words}; kept by ourselves, not in Outlook" if about["archive"].startswith("local://") else words


def _next(address: str, port: int | None) -> Iterator[Text]:
    other = f" --port {port}" if port else ""
    for command, what in (
        ("./dev run --once --calendar mine.ics", "your own calendar: export it, nothing leaves the machine"),
        ("./dev run", "keep it running: the API, its description, ready tokens"),
        (f"./dev token --user {address} --role User{other}", "then GET /api/v1/overlaps?status=flagged"),
        ("./dev run --once", "again: nothing is written twice"),
    ):
        line = Text(command, style="cyan")
        line.append(f"\n  {what}", style="dim")
        yield line
