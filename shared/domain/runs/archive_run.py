"""States and kinds of an archive run and of its operations (design.md, Archive)."""

from enum import StrEnum


class RunKind(StrEnum):
    """Why a run exists. Queued runs are promoted in this order."""

    RETRY = "retry"
    NIGHTLY = "nightly"
    MANUAL = "manual"
    BACKFILL = "backfill"


class RunMode(StrEnum):
    """What a run does.

    - ``normal``: writes what changed.
    - ``replace``: rewrites every copy of the window (domain.md 2.10).
    - ``put_back``: makes copies again that their owner deleted and wants back (domain.md 2.15).
    - ``edit``: carries out an owner's explicit edit of one appointment (2.5).
    - ``rebuild``: makes every copy of a deleted archive calendar again (1).
    """

    NORMAL = "normal"
    REPLACE = "replace"
    PUT_BACK = "put_back"
    EDIT = "edit"
    REBUILD = "rebuild"


class RunState(StrEnum):
    """The state of a run. ``failed``: it could read nothing, so nothing was planned (domain.md 2.12)."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True if the state is final."""
        return self not in (RunState.QUEUED, RunState.RUNNING)

    @property
    def trouble(self) -> bool:
        """True if it ended and something in it failed."""
        return self in (RunState.COMPLETED_WITH_ERRORS, RunState.FAILED)


class OperationAction(StrEnum):
    """What an operation does to the archive calendar. Nothing is ever deleted.

    ``supersede`` marks a copy that another one replaces (domain.md 2.16, 2.17).
    """

    CREATE = "create"
    UPDATE = "update"
    SUPERSEDE = "supersede"


class OperationState(StrEnum):
    """The state of an operation: draft → planned → sent → a final state."""

    DRAFT = "draft"
    PLANNED = "planned"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"
    LOCKED = "locked"
