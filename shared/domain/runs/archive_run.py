"""States and kinds of an archive run and of its operations (design.md, Archive)."""

from enum import StrEnum


class RunKind(StrEnum):
    """Why a run exists; also the order in which queued runs are promoted."""

    RETRY = "retry"
    NIGHTLY = "nightly"
    MANUAL = "manual"
    BACKFILL = "backfill"


class RunMode(StrEnum):
    """``normal`` writes what changed; ``replace`` rewrites every copy of the window (domain.md 2.10).

    ``put_back`` makes copies anew that their owner deleted and wants back (domain.md 2.15).
    ``edit`` carries out an owner's explicit edit of one appointment (2.5). ``rebuild`` makes every copy anew
    that went with a deleted archive calendar (1).
    """

    NORMAL = "normal"
    REPLACE = "replace"
    PUT_BACK = "put_back"
    EDIT = "edit"
    REBUILD = "rebuild"


class RunState(StrEnum):
    """The life of a run. ``failed``: it could read nothing, so nothing was planned (domain.md 2.12)."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True when the run will not change any more."""
        return self not in (RunState.QUEUED, RunState.RUNNING)

    @property
    def trouble(self) -> bool:
        """True when it ended and something of it failed."""
        return self in (RunState.COMPLETED_WITH_ERRORS, RunState.FAILED)


class OperationAction(StrEnum):
    """What an operation does to the archive calendar; nothing is ever deleted.

    ``supersede`` marks a copy that another one stands for (domain.md 2.16, 2.17).
    """

    CREATE = "create"
    UPDATE = "update"
    SUPERSEDE = "supersede"


class OperationState(StrEnum):
    """The life of an operation: draft → planned → sent → one of the terminal states."""

    DRAFT = "draft"
    PLANNED = "planned"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"
    LOCKED = "locked"
