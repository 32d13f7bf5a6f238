"""Suggests categories for an event without a valid one, from its owner's history and rules (domain.md 3.6).

Series ranks before subject, subject before people's domains, and these before location. What the owner chose
for the same meeting says more than what they chose with the same company or in the same room.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.domain.categories.category import Category, CategoryState, classify, parse_category
from shared.domain.normal_form import normal_form

MOST_SUGGESTIONS = 5


class Relation(StrEnum):
    """What two events have in common, in the order of its weight."""

    SERIES = "series"
    SUBJECT = "subject"
    DOMAIN = "domain"
    LOCATION = "location"


_RANK = {relation: rank for rank, relation in enumerate(Relation)}


@dataclass(frozen=True, slots=True)
class EventTraits:
    """The traits by which events are compared, each made by ``trait_key``. Empty means no such trait."""

    #: The id of the series master.
    series: str = ""
    subject: str = ""
    #: Domains of organizer and attendees, without the owner's own, which all colleagues share.
    domains: frozenset[str] = frozenset()
    location: str = ""

    def pairs(self) -> Iterator[tuple[Relation, str]]:
        """All traits."""
        if self.series:
            yield Relation.SERIES, self.series
        if self.subject:
            yield Relation.SUBJECT, self.subject
        for domain in sorted(self.domains):
            yield Relation.DOMAIN, domain
        if self.location:
            yield Relation.LOCATION, self.location


@dataclass(frozen=True, slots=True)
class Evidence:
    """``count`` past events that share ``match`` had the category, the latest at ``last_used``."""

    relation: Relation
    match: str
    count: int
    last_used: datetime


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """The owner's rule: events with this trait get ``category``. With ``auto_apply``, without asking."""

    id: UUID
    relation: Relation
    key: str
    category: str
    auto_apply: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggested category in the owner's usual spelling: from a rule, their history, or the event itself."""

    category: str
    evidence: tuple[Evidence, ...] = ()
    rule: CategoryRule | None = None


def trait_key(relation: Relation, text: str) -> str:
    """The comparison key of a text: ids unchanged, domains without ``@``, the rest case-folded.

    Empty for a text without content.
    """
    if relation is Relation.SERIES:
        return text.strip()
    folded = normal_form("NFC", normal_form("NFD", text).casefold())
    folded = " ".join(folded.split())
    return folded.removeprefix("@").strip(" .") if relation is Relation.DOMAIN else folded


def event_traits(
    source_key: str, subject: str, location: str, addresses: Iterable[str], own_address: str
) -> EventTraits:
    """The traits of an event, from its source key (domain.md 2.3) and its content."""
    kind, _, rest = source_key.partition(":")
    domains = {domain for address in addresses if (domain := _domain(address))}
    return EventTraits(
        series=rest.partition(":")[0] if kind == "o" else "",
        subject=trait_key(Relation.SUBJECT, subject),
        domains=frozenset(domains - {_domain(own_address)}),
        location=trait_key(Relation.LOCATION, location),
    )


@dataclass(slots=True)
class _Use:
    count: int = 0
    last: datetime | None = None

    def add(self, used: datetime) -> None:
        self.count += 1
        self.last = used if self.last is None else max(self.last, used)


@dataclass(slots=True)
class CategoryHistory:
    """How often each category was used with each trait. The order of additions does not matter."""

    _uses: dict[tuple[Relation, str], dict[str, _Use]] = field(default_factory=lambda: defaultdict(dict))
    _spellings: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, traits: EventTraits, categories: Sequence[str], used: datetime) -> None:
        """Learn from an event at the instant ``used``. An event without a clear category teaches nothing."""
        status = classify(categories)
        if status.state is not CategoryState.VALID or status.category is None:
            return
        identity = status.category.identity
        self._spellings[identity][_as_typed(categories, identity)] += 1
        for key in traits.pairs():
            self._uses[key].setdefault(identity, _Use()).add(used)

    def evidence(self, traits: EventTraits) -> dict[str, tuple[Evidence, ...]]:
        """The evidence for each category, best first, one per relation (the strongest domain only)."""
        found: dict[str, dict[Relation, Evidence]] = defaultdict(dict)
        for relation, match in traits.pairs():
            for identity, use in self._uses.get((relation, match), {}).items():
                if use.last is None:
                    continue
                each = Evidence(relation, match, use.count, use.last)
                known = found[identity].get(relation)
                if known is None or _strength(each) < _strength(known):
                    found[identity][relation] = each
        return {
            identity: tuple(sorted(evidence.values(), key=_strength)) for identity, evidence in found.items()
        }

    def spelling(self, identity: str) -> str:
        """The owner's usual spelling of a category."""
        return min(self._spellings[identity].items(), key=lambda item: (-item[1], item[0]))[0]


def suggest(
    traits: EventTraits,
    history: CategoryHistory,
    rules: Iterable[CategoryRule] = (),
    most: int = MOST_SUGGESTIONS,
    own: Mapping[str, str] | None = None,
) -> tuple[Suggestion, ...]:
    """Candidates for an event, best first: the owner's rules, then their history.

    In the history, the closest relation ranks first, then the number of uses, then the latest use. ``own``
    are the valid categories of an ambiguous event, from identity to text. They come first and are never left
    out.
    """
    evidence = history.evidence(traits)
    ruled: dict[str, Suggestion] = {}
    for rule in matching_rules(traits, rules):
        category = parse_category(rule.category)
        if isinstance(category, Category) and category.identity not in ruled:
            known = evidence.pop(category.identity, ())
            ruled[category.identity] = Suggestion(rule.category, known, rule)
    ranked = sorted(evidence.items(), key=lambda item: (_ranking(item[1]), item[0]))
    found = ruled | {identity: Suggestion(history.spelling(identity), each) for identity, each in ranked}
    given = own or {}
    chosen = {identity: each for identity, each in found.items() if identity in given}
    chosen |= {identity: Suggestion(text) for identity, text in given.items() if identity not in found}
    others = [each for identity, each in found.items() if identity not in given]
    return (*chosen.values(), *others)[: max(most, len(chosen))]


def own_categories(categories: Sequence[str]) -> dict[str, str]:
    """The valid categories of an ambiguous event, identity to typed text. Empty for any other event."""
    status = classify(categories)
    if status.state is not CategoryState.AMBIGUOUS:
        return {}
    return {each.identity: _as_typed(categories, each.identity) for each in status.valid}


def matching_rules(traits: EventTraits, rules: Iterable[CategoryRule]) -> list[CategoryRule]:
    """The rules that match an event, the closest relation first."""
    keys = frozenset(traits.pairs())
    met = [rule for rule in rules if (rule.relation, rule.key) in keys]
    return sorted(met, key=lambda rule: (_RANK[rule.relation], rule.key, rule.id))


def automatic_rule(traits: EventTraits, rules: Iterable[CategoryRule]) -> CategoryRule | None:
    """The closest rule with ``auto_apply``, to apply unasked. None if the closest disagree."""
    met = matching_rules(traits, (rule for rule in rules if rule.auto_apply))
    if not met:
        return None
    closest = [rule for rule in met if rule.relation is met[0].relation]
    meanings = {parse_category(rule.category) for rule in closest}
    identities = {each.identity for each in meanings if isinstance(each, Category)}
    return met[0] if len(identities) == 1 else None


def with_category(categories: Sequence[str], chosen: str) -> tuple[str, ...]:
    """The event's categories after ``chosen`` was applied: it comes first and replaces every other valid one.

    Labels that are no valid category stay, because people use them for other things. An event whose only
    valid category is the chosen one keeps its spelling.
    """
    wanted = parse_category(chosen)
    status = classify(categories)
    if isinstance(wanted, Category) and [each.identity for each in status.valid] == [wanted.identity]:
        return tuple(categories)
    kept = [text for text in categories if not isinstance(parse_category(text), Category)]
    return (chosen, *kept)


def _domain(address: str) -> str:
    _, at, domain = address.rpartition("@")
    return trait_key(Relation.DOMAIN, domain) if at else ""


def _as_typed(categories: Sequence[str], identity: str) -> str:
    for text in categories:
        category = parse_category(text)
        if isinstance(category, Category) and category.identity == identity:
            return text.strip()
    raise ValueError("the category is not among the texts")


def _strength(evidence: Evidence) -> tuple[int, int, float, str]:
    return _RANK[evidence.relation], -evidence.count, -evidence.last_used.timestamp(), evidence.match


def _ranking(evidence: tuple[Evidence, ...]) -> tuple[tuple[int, int, float], ...]:
    # The last entry ranks a candidate with less evidence after one that has the same and more.
    return (*(_strength(each)[:3] for each in evidence), (len(Relation), 0, 0.0))
