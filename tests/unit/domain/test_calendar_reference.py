"""Calendar references: what users type and which calendar is meant (domain.md 1)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.calendars.calendar_reference import (
    CalendarCandidate,
    CalendarNotResolved,
    CalendarReference,
    CalendarReferenceInvalid,
    Store,
    canonical,
    parse,
    resolve,
    slug,
)

ANNA = "anna@contoso.example"
WORK = CalendarCandidate("AAMkWork", "Work Calendar", True)
ARCHIVE = CalendarCandidate("AAMkArchive", "Archive 2026", False)
RUSSIAN = CalendarCandidate("AAMkRu", "Рабочий календарь", False)
CANDIDATES = (WORK, ARCHIVE, RUSSIAN)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (f"msgraph://{ANNA}/calendar", CalendarReference("outlook", ANNA, None)),
        (f"msgraph://{ANNA}/calendars/Archive", CalendarReference("outlook", ANNA, "Archive")),
        (f" MSGRAPH://{ANNA}/calendars/My%20Work ", CalendarReference("outlook", ANNA, "My Work")),
        (f"msgraph://{ANNA}/calendars/My Work", CalendarReference("outlook", ANNA, "My Work")),
        (f"msgraph://{ANNA}/calendars/a%2Fb%3F%23", CalendarReference("outlook", ANNA, "a/b?#")),
        ("msgraph://anna%40contoso.example/calendar", CalendarReference("outlook", ANNA, None)),
        (f"local://{ANNA}/calendars/kalender", CalendarReference("local", ANNA, "kalender")),
        (
            "msgraph://3f2504e0-4f89-41d3-9a0c-0305e82c3301/calendar",
            CalendarReference("outlook", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", None),
        ),
    ],
)
def test_what_users_type_is_read(text: str, reference: CalendarReference) -> None:
    assert parse(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Archive",
        f"https://{ANNA}/calendar",
        "msgraph://",
        "msgraph:///calendar",
        "msgraph://anna/calendar",
        "msgraph://anna@x@y/calendar",
        f"msgraph://{ANNA}",
        f"msgraph://{ANNA}/calendars",
        f"msgraph://{ANNA}/calendars/",
        f"msgraph://{ANNA}/calendars/%20",
        f"msgraph://{ANNA}/calendars/a/b",
        f"msgraph://{ANNA}/calendars/a?b",
        f"msgraph://{ANNA}/calendars/50%",
        f"msgraph://{ANNA}/calendars/%ff",
        f"msgraph://{ANNA}/calendars/%00",
        f"msgraph://{ANNA}/calendar/x",
        f"local://{ANNA}/calendar",
        f"msgraph://{ANNA}/calendars/" + "x" * 3000,
    ],
)
def test_what_is_no_reference_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(CalendarReferenceInvalid) as refused:
        parse(text)
    assert str(refused.value)


NAMES = (
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
    .map(str.strip)
    .filter(bool)
)


@settings(deadline=None, max_examples=150)
@given(
    store=st.sampled_from(["outlook", "local"]),
    mailbox=st.from_regex(r"[a-z0-9._+#']{1,12}@[a-z0-9.]{1,12}", fullmatch=True),
    name=NAMES,
)
def test_a_reference_survives_its_text(store: Store, mailbox: str, name: str) -> None:
    reference = CalendarReference(store, mailbox, name)
    text = str(reference)
    assert parse(text) == reference
    assert str(parse(text)) == text


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=60) | st.text(max_size=30).map(lambda t: f"msgraph://{ANNA}/calendars/{t}"))
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    try:
        reference = parse(text)
    except CalendarReferenceInvalid:
        return
    assert parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (None, WORK),
        ("AAMkArchive", ARCHIVE),
        ("ARCHIVE 2026", ARCHIVE),
        ("archive-2026", ARCHIVE),
        ("рабочий КАЛЕНДАРЬ", RUSSIAN),
        ("рабочий-календарь", RUSSIAN),
    ],
)
def test_a_calendar_is_found_by_id_name_or_slug(typed: str | None, meant: CalendarCandidate) -> None:
    assert resolve(CalendarReference("outlook", ANNA, typed), CANDIDATES) is meant


@pytest.mark.parametrize("typed", ["aamkarchive", "Archive", "archive_2026", "Work  Calendar!", "-"])
def test_what_does_not_match_is_never_used_as_it_is(typed: str) -> None:
    with pytest.raises(CalendarNotResolved) as refused:
        resolve(CalendarReference("outlook", ANNA, typed), CANDIDATES)
    assert refused.value.candidates == CANDIDATES
    assert "“Archive 2026” (id AAMkArchive)" in str(refused.value)


def test_two_calendars_of_one_name_are_an_error_that_lists_just_them() -> None:
    twin = CalendarCandidate("AAMkTwin", "archive 2026", False)
    with pytest.raises(CalendarNotResolved) as refused:
        resolve(CalendarReference("outlook", ANNA, "Archive 2026"), (*CANDIDATES, twin))
    assert refused.value.candidates == (ARCHIVE, twin)
    assert resolve(CalendarReference("outlook", ANNA, "AAMkTwin"), (*CANDIDATES, twin)) is twin


def test_an_exact_name_wins_over_another_calendars_slug() -> None:
    named = CalendarCandidate("AAMkSlug", "archive-2026", False)
    assert resolve(CalendarReference("outlook", ANNA, "Archive-2026"), (*CANDIDATES, named)) is named


def test_a_mailbox_without_calendars_says_so() -> None:
    with pytest.raises(CalendarNotResolved, match="no calendars"):
        resolve(CalendarReference("outlook", ANNA, None), ())


def test_a_long_list_of_candidates_is_cut() -> None:
    many = [CalendarCandidate(f"id{n}", f"Calendar {n}", False) for n in range(25)]
    with pytest.raises(CalendarNotResolved, match="and 5 more"):
        resolve(CalendarReference("outlook", ANNA, "Nowhere"), many)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Work Calendar", "work-calendar"), ("  Q1 / Q2!", "q1-q2"), ("***", ""), ("Été_2026", "été-2026")],
)
def test_slugs(name: str, expected: str) -> None:
    assert slug(name) == expected


CALENDARS = st.lists(
    st.builds(
        CalendarCandidate,
        id=st.from_regex(r"[A-Za-z0-9_-]{4,8}", fullmatch=True),
        name=st.text(alphabet="aAbB -_\u00e9", min_size=1, max_size=4) | st.text(max_size=12),
        is_default=st.just(False),
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)


@settings(deadline=None, max_examples=200)
@given(calendars=CALENDARS, typed=st.text(alphabet="aAbB -_\u00e9", min_size=1, max_size=4))
def test_order_never_matters_and_an_answer_is_always_one_of_the_calendars(
    calendars: list[CalendarCandidate], typed: str
) -> None:
    reference = CalendarReference("local", ANNA, typed)

    def answer(candidates: list[CalendarCandidate]) -> object:
        try:
            return resolve(reference, candidates)
        except CalendarNotResolved as refused:
            return frozenset(refused.candidates)

    first = answer(calendars)
    assert first == answer(calendars[::-1])
    if isinstance(first, CalendarCandidate):
        assert first in calendars
        assert answer([each for each in calendars if each != first]) != first
    else:
        assert isinstance(first, frozenset)
        assert first <= set(calendars)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(calendars=CALENDARS, store=st.sampled_from(["outlook", "local"]))
def test_the_reference_of_every_calendar_leads_back_to_it(
    calendars: list[CalendarCandidate], store: Store
) -> None:
    primary = CalendarCandidate("primary", "Calendar", True)
    for each in (*calendars, primary):
        reference = canonical(store, ANNA, each, [*calendars, primary])
        assert resolve(parse(str(reference)), [*calendars, primary]) == each
