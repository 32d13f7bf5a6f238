"""What a user of the simulator may switch: quotas, latency, points where Graph's behaviour is unknown."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin

type DuplicateTransaction = Literal["409", "400", "201_existing"]
type AllDayMatching = Literal["utc", "mailbox"]
type Exceptions = Literal["reset", "kept"]
type OccurrenceIds = Literal["date", "renewed"]
type OccurrenceIdProperty = Literal["given", "absent", "refused"]
type OriginalStarts = Literal["given", "not_of_all_day", "absent"]
type ExceptionTexts = Literal["inherit", "snapshot"]
type SeriesChangeKeys = Literal["shared", "own"]
type OccurrenceBoundary = Literal["day", "overlap", "off"]
type DeletedItems = Literal["404", "found"]


@dataclass(slots=True)
class Settings:
    """Every switch; names of durations end in their unit, ``None`` lifts a quota (graph.md, Throttling)."""

    latency_ms: float = 0.0
    #: Requests in flight per app and mailbox.
    concurrency: int | None = 4
    requests_per_10_min: int | None = 10_000
    write_bytes_per_5_min: int | None = 150_000_000
    app_requests_per_10_s: int | None = 130_000
    mails_per_minute: int | None = 30
    #: Seconds told to a client that is over the concurrency limit.
    concurrency_retry_after: int = 1
    #: A request that was on its way when Retry-After was told is not blamed.
    told_grace_ms: float = 50.0

    #: graph.md, Event: the answer to a duplicate transactionId is observed, not documented.
    duplicate_transaction: DuplicateTransaction = "409"
    existing_event_id_included: bool = True
    transaction_memory_seconds: float = 900.0
    ical_uid_per_occurrence: bool = False
    all_day_matching: AllDayMatching = "utc"

    # Series: what is not documented, or changed over the years (docs/graph-series.md).
    #: Exceptions of a series whose start or end times change.
    exceptions_on_time_change: Exceptions = "reset"
    #: Exceptions inside the new range of a series whose range changes.
    exceptions_on_range_change: Exceptions = "kept"
    #: ``date``: an occurrence's id is made of its master and its date; ``renewed``: all occurrences get new
    #: ids whenever the series' times or pattern change.
    occurrence_ids: OccurrenceIds = "date"
    #: ``occurrenceId``: v1.0 gives it, its metadata do not know it (msgraph-metadata 827).
    occurrence_id_property: OccurrenceIdProperty = "given"
    #: ``originalStart`` was missing of all-day occurrences in reports (docs-contrib 4353).
    original_starts: OriginalStarts = "given"
    #: ``snapshot``: an exception keeps all it had when it was made; ``inherit``: what was changed in it.
    exception_texts: ExceptionTexts = "inherit"
    #: Whether a series and its exceptions have one change key (EWS, OccurrenceItemId) or each its own.
    series_change_keys: SeriesChangeKeys = "shared"
    #: How near an occurrence may be moved to its neighbours; ``day`` is documented (Update event).
    occurrence_boundary: OccurrenceBoundary = "day"
    #: Whether a deleted event is still found by its immutable id, in none of the calendars.
    deleted_items: DeletedItems = "404"
    overlapping_writes_conflict: bool = True
    #: Exchange wraps what is not a whole HTML document into one.
    normalise_bodies: bool = True

    #: The server may give shorter pages than asked for.
    page_size_max: int = 1000
    max_body_bytes: int = 4_000_000
    max_view_days: int = 1825
    shuffle_batch_responses: bool = True

    #: Base of the issuers of tokens for our API; empty: the simulator's own base URL.
    authority: str = ""
    tenant_id: str = "11111111-1111-4111-8111-111111111111"
    identity_header: str = "local"
    managed_identity_client_id: str = "22222222-2222-4222-8222-222222222222"
    #: Secret of every client that ``client_secrets`` does not name.
    client_secret: str = "simulator-secret"  # noqa: S105 - public by design
    client_secrets: dict[str, str] = field(default_factory=dict)
    #: PEM certificates that may sign client assertions, by client id.
    client_certificates: dict[str, str] = field(default_factory=dict)
    graph_roles: list[str] = field(
        default_factory=lambda: [
            *(
                "Calendars.ReadWrite",
                "GroupMember.Read.All",
                "Mail.ReadBasic",
                "Mail.Send",
                "MailboxSettings.ReadWrite",
                "User.Read.All",
            )
        ]
    )
    #: Delegated permissions that the tenant has consented to, for tokens on behalf of a person.
    delegated_scopes: list[str] = field(
        default_factory=lambda: ["Calendars.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "User.Read"]
    )
    #: Object ids of persons who have not agreed to the permissions themselves.
    consent_missing: list[str] = field(default_factory=list)
    #: Object ids of persons of whom conditional access wants a sign-in with several factors (``amr``: mfa).
    interaction_required: list[str] = field(default_factory=list)
    #: RBAC for Applications: addresses or object ids an app may reach; ``None`` is every mailbox.
    allowed_mailboxes: list[str] | None = None
    token_lifetime_seconds: int = 86_400

    def update(self, changes: dict[str, Any]) -> None:
        """Apply named changes; raises ``ValueError`` naming an unknown one or one of the wrong type."""
        known = {item.name: item.type for item in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known: {', '.join(sorted(known))}")
            if not _fits(value, known[name]):
                raise ValueError(f"setting {name!r} does not accept {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def _fits(value: Any, kind: Any) -> bool:
    kind = getattr(kind, "__value__", kind)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) in (list, dict):
        return isinstance(value, get_origin(kind))
    options = get_args(kind)
    if options:
        return any(_fits(value, option) for option in options)
    if kind is type(None):
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
