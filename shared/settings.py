"""Every setting of the app, from the environment (app settings in Azure, local.settings.json locally).

A setting ``x`` is read from ``ADMIN_ASSISTANT_X``. Some also accept the predecessor's names
(``CORE_DATABASE_URL``, ``MS_CLIENT_ID``, …). An empty value counts as not set.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS

PREFIX = "ADMIN_ASSISTANT_"
#: Suggestions compare each event with every rule of its owner, so this is the maximum for a tenant.
MOST_CATEGORY_RULES = 2_000
_POSTGRES_SCHEME = re.compile(r"^(?:postgres|postgresql)(?:\+\w+)?://", re.IGNORECASE)


def _also(name: str, *aliases: str) -> AliasChoices:
    """The setting's own variable first, then its other names."""
    return AliasChoices(f"{PREFIX}{name.upper()}", *aliases)


def normalise_database_url(url: str) -> str:
    """The URL for SQLAlchemy on asyncpg. libpq's ``sslmode`` becomes asyncpg's ``ssl``.

    Accepts ``postgres://``, ``postgresql://`` and ``postgresql+<driver>://``. Raises ValueError for anything
    else.
    """
    if not _POSTGRES_SCHEME.match(url):
        raise ValueError("must be a PostgreSQL URL: postgresql://user:password@host:5432/database")
    return re.sub(r"([?&])sslmode=", r"\1ssl=", _POSTGRES_SCHEME.sub("postgresql+asyncpg://", url))


def _built(name: str, otherwise: str) -> str:
    try:
        with (Path(__file__).parents[1] / "build.json").open(encoding="utf-8") as file:
            return str(json.load(file)[name])
    except (OSError, ValueError, KeyError):
        return otherwise


def longest_turn_wait(batch_timeout: float) -> float:
    """How many seconds a batch waits for token and turn before its own ``batch_timeout`` begins."""
    return min(10.0, batch_timeout / 3)


class Settings(BaseSettings):
    """The app's settings. ``Settings()`` reads the environment. Unknown variables are ignored.

    Raises pydantic's ValidationError, which names the fields and never shows their values.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    environment: Literal["local", "development", "production"] = Field(
        default="production", validation_alias=_also("environment", "APP_ENV")
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", validation_alias=_also("log_level", "LOG_LEVEL")
    )

    # PostgreSQL. If empty, everything that needs the database reports that no URL is set. Times are in
    # seconds.
    database_url: SecretStr = Field(
        default=SecretStr(""), validation_alias=_also("database_url", "DATABASE_URL", "CORE_DATABASE_URL")
    )
    migration_database_url: SecretStr | None = None
    database_entra_auth: bool = False
    database_pool_size: PositiveInt = 5
    database_max_overflow: NonNegativeInt = 5
    database_pool_timeout: PositiveFloat = 5
    database_connect_timeout: PositiveFloat = 10
    database_statement_timeout: PositiveFloat = 30
    database_lock_timeout: PositiveFloat = 10

    # Microsoft Entra ID and Graph.
    tenant_id: UUID | None = Field(default=None, validation_alias=_also("tenant_id", "MS_TENANT_ID"))
    client_id: str | None = Field(default=None, validation_alias=_also("client_id", "MS_CLIENT_ID"))
    client_secret: SecretStr | None = Field(
        default=None, validation_alias=_also("client_secret", "MS_CLIENT_SECRET")
    )
    managed_identity_client_id: str | None = None
    api_audience: str = ""
    first_sign_in: Literal["off", "invitation", "automatic"] = "off"
    authority: str = "https://login.microsoftonline.com"
    v1_issuer: str = "https://sts.windows.net"
    graph_base_url: str = "https://graph.microsoft.com/v1.0"
    graph_scope: str = "https://graph.microsoft.com/.default"
    graph_read_timeout: PositiveFloat = 60

    # Keys of persons, for the personal values of the audit (domain.md 7.1). The absolute path of a folder, or
    # https://<account>.blob.core.windows.net/<container>. If empty, these values are withheld from the audit.
    person_key_store: Annotated[str, Field(pattern=r"^(|/.+|[A-Za-z]:[\\/].+|https://[^/?#]+/[^/?#]+)$")] = ""

    # Files (exports of a person's data): an absolute path of a folder, or a container as above. Empty: none.
    storage: Annotated[str, Field(pattern=r"^(|/.+|[A-Za-z]:[\\/].+|https://[^/?#]+/[^/?#]+)$")] = ""
    user_export_days: PositiveInt = 14

    # Mail to people who are not users (domain.md 6.5). The sender mailbox, by address or object id. For
    # further tenants: tenant-id=mailbox, separated by commas. If empty, nothing is sent. public_url is the
    # API's address in such mail: https://<host>/api.
    mail_sender: Annotated[str, Field(max_length=4_000)] = ""
    public_url: Annotated[str, Field(pattern=r"^(|https?://[^\s?#]+)$")] = ""

    # The deployed version, from the package's build.json. Shown by the health operations.
    version: str = Field(default_factory=lambda: _built("version", "0.1.0"))
    commit: str = Field(default_factory=lambda: _built("commit", ""))

    # HTTP.
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    max_body_bytes: PositiveInt = 1_048_576
    # Per caller and instance. 0 per second means no limit.
    rate_limit_per_second: NonNegativeFloat = 50
    rate_limit_burst: PositiveInt = 500

    # Archiving (design.md Archive; domain.md 2.2).
    mailbox_lease_seconds: PositiveFloat = 45
    batch_timeout_seconds: PositiveFloat = 30
    apply_time_budget_seconds: PositiveFloat = 240
    apply_operation_budget: PositiveInt = 1000
    transaction_memory_seconds: PositiveFloat = 600
    settle_lookup_delay_seconds: PositiveFloat = 60
    #: For some nights after the database was restored to an earlier moment. Before a copy is created, it is
    #: searched by its key, because the calendar may have it already (docs/disaster-recovery.md).
    look_before_create: bool = False
    max_window_days: PositiveInt = 400
    default_lookback_days: Annotated[int, Field(ge=0, le=60)] = 7
    nightly_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "02:00"
    default_time_zone: str = "UTC"
    #: Defaults for each tenant without its own system settings: domain.md 2.7 and 5.8.
    travel_words: Annotated[tuple[str, ...], NoDecode] = DEFAULT_TRAVEL_WORDS
    overlap_expiry_days: Annotated[int, Field(ge=1, le=365)] = 30
    #: Per person, for each tenant without its own settings (domain.md 6.6).
    max_archive_configurations: Annotated[int, Field(ge=1, le=1_000)] = 20
    max_local_calendars: Annotated[int, Field(ge=1, le=1_000)] = 20
    max_local_events: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    max_category_rules: Annotated[int, Field(ge=1, le=MOST_CATEGORY_RULES)] = 500
    max_exports_per_day: Annotated[int, Field(ge=1, le=100)] = 1

    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=_also("openai_api_key", "OPENAI_API_KEY")
    )

    @field_validator("database_url", "migration_database_url", mode="after")
    @classmethod
    def _on_asyncpg(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(normalise_database_url(value.get_secret_value())) if value else value

    @field_validator("environment", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())

    @field_validator("travel_words", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())

    @field_validator("graph_base_url", "authority", "v1_issuer", "public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        # The SDK would send a double slash (graph.md Wire).
        return value.rstrip("/")

    @field_validator("default_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError("is no IANA time zone") from error
        return value

    @model_validator(mode="after")
    def _lease_outlives_batch(self) -> Self:
        # After the lease expires, no request of ours may be in flight any more (design.md Archive 4).
        if self.mailbox_lease_seconds <= self.whole_batch_seconds:
            raise ValueError("mailbox_lease_seconds must be longer than a batch and its wait for its turn")
        return self

    @model_validator(mode="after")
    def _senders_are_mailboxes(self) -> Self:
        if self.mail_sender and not self.mail_senders:
            raise ValueError("mail_sender names the home tenant's mailbox, but tenant_id is not set")
        return self

    @property
    def mail_senders(self) -> dict[UUID, str]:
        """The mailbox that mail is sent from, by tenant. Raises ValueError for an invalid tenant id."""
        senders: dict[UUID, str] = {}
        for entry in filter(None, map(str.strip, self.mail_sender.split(","))):
            tenant, equals, mailbox = entry.partition("=")
            owner = UUID(tenant.strip()) if equals else self.tenant_id
            name = (mailbox if equals else tenant).strip()
            if owner is not None and name:
                senders[owner] = name
        return senders

    @property
    def whole_batch_seconds(self) -> float:
        """The longest duration of a batch, from the wish to send it to giving up its answer."""
        return self.batch_timeout_seconds + longest_turn_wait(self.batch_timeout_seconds)

    @property
    def owner_database_url(self) -> SecretStr:
        """The database URL for migrations: the owner's, if one is set."""
        return self.migration_database_url or self.database_url
