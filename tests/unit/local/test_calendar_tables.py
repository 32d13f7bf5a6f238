"""What Outlook exports as CSV, zips and folders: the same events as from an iCalendar file."""

import io
import zipfile

import pytest

from infra.local.graph_simulator.values.errors import LoadError
from tests.support.calendar_import import load_calendar

EVENT = """\
BEGIN:VEVENT\r
UID:{uid}\r
SUMMARY:{uid}\r
DTSTART:2026030{day}T090000Z\r
DURATION:PT1H\r
END:VEVENT"""
CALENDAR = "BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Europe/Rome\r\n{}\r\nEND:VCALENDAR\r\n"


def zipped(**files: str | bytes) -> bytes:
    """A zip of files by name, a dot for each double underscore."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return memory.getvalue()


@pytest.mark.parametrize(
    ("headings", "row", "encoding"),
    [
        (
            "Subject,Start Date,Start Time,End Date,End Time,All day event,Categories,Private,Show time as",
            "Review,3/2/2026,9:00:00 AM,3/2/2026,10:30:00 AM,False,Acme - billable;Online,True,2\r\n,3/25/26",
            "utf-8-sig",
        ),
        (
            "Betreff,Beginnt am,Beginnt um,Endet am,Endet um,Ganztägiges Ereignis,Kategorien,Privat,"
            "Zeitspanne zeigen als",
            "Review,2.3.2026,09:00:00,2.3.2026,10:30:00,Aus,Acme - billable;Online,Ein,2",
            "cp1252",
        ),
        (
            "Objet;Début;Début;Fin;Fin;Journée entière;Catégories;Privé;Afficher la disponibilité",
            'Review;02/03/2026;09:00:00;02/03/2026;10:30:00;Faux;"Acme - billable;Online";Vrai;2',
            "cp1252",
        ),
        (
            "Asunto,Fecha de comienzo,Comienzo,Fecha de finalización,Finalización,Todo el día,Categorías,"
            "Privado,Mostrar hora como",
            "Review,02/03/2026,9:00:00,02/03/2026,10:30:00,Falso,Acme - billable;Online,Verdadero,2",
            "utf-16",
        ),
        (
            'Onderwerp,Begindatum,Begintijd,Einddatum,Eindtijd,"Evenement, duurt hele dag",Categorieën,Privé,'
            "Tijd weergeven als",
            "Review,2-3-2026,9:00:00,2-3-2026,10:30:00,Onwaar,Acme - billable;Online,Waar,2",
            "utf-8",
        ),
    ],
    ids=["English", "German", "French", "Spanish", "Dutch"],
)
def test_a_table_of_outlook_is_read_in_five_languages(headings: str, row: str, encoding: str) -> None:
    found = load_calendar(f"{headings}\r\n{row}\r\n".encode(encoding), zone="Europe/Berlin")
    start, end, shown = found.occurrences[0]
    assert (f"{start:%m-%d %H:%M}", f"{end:%H:%M}") == ("03-02 08:00", "09:30")
    assert shown["categories"] == ["Acme - billable", "Online"]
    assert (shown["sensitivity"], shown["showAs"], shown["isAllDay"]) == ("private", "busy", False)


def test_a_row_that_cannot_be_read_is_listed_with_its_line_and_a_quoted_text_may_span_lines() -> None:
    table = (
        "Subject,Start Date,Start Time,End Date,End Time,All day event,Description\r\n"
        '"Fair, all day",3/25/2026,12:00:00 AM,3/26/2026,12:00:00 AM,True,"one\r\ntwo"\r\n'
        "Broken,someday,9:00:00 AM,3/2/2026,10:00:00 AM,False,\r\n"
    )
    found = load_calendar(table)
    ((_, _, shown),) = found.occurrences
    assert (shown["subject"], shown["isAllDay"], shown["end"]["dateTime"][:10]) == (
        "Fair, all day",
        True,
        "2026-03-26",
    )
    (told,) = found.report["unrepresentable"]
    assert (told["summary"], told["line"]) == ("Broken", 4)
    assert found.report["entries"]["total"] == 2


def test_an_order_of_day_and_month_that_no_date_says_is_told() -> None:
    table = "Subject,Start Date,Start Time,End Date,End Time\r\nReview,2/3/2026,9:00,2/3/2026,10:00\r\n"
    found = load_calendar(table)
    assert found.starts() == ["2026-03-02T08:00"]
    assert "dates like 2/3/2026 are read as day before month" in "\n".join(found.report["remarks"])


def test_a_zip_is_one_calendar_whose_versions_are_compared_across_its_files() -> None:
    older = CALENDAR.format(EVENT.format(uid="a", day=1).replace("\r\nEND", "\r\nSEQUENCE:0\r\nEND"))
    newer = CALENDAR.format(EVENT.format(uid="a", day=2).replace("\r\nEND", "\r\nSEQUENCE:1\r\nEND"))
    found = load_calendar(zipped(work__ics=older, home__ics=newer, notes__txt="hello", broken__ics="hello"))
    assert found.starts() == ["2026-03-02T09:00"]
    assert found.report["older_versions"][0]["file"] == "work.ics"
    assert [remark for remark in found.report["remarks"] if remark.startswith("broken.ics: not a calendar")]


@pytest.mark.parametrize(
    "content",
    [zipped(), zipped(notes__txt="x"), zipped(a__ics="x"), zipped(a__ics=CALENDAR)[:60]],
    ids=["empty", "no calendar", "not a calendar", "cut off"],
)
def test_a_zip_without_a_calendar_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(LoadError) as refused:
        load_calendar(content)
    assert "\n" not in str(refused.value)
