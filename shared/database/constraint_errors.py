"""Turns refused writes into errors for people, by the name of the constraint."""

import re

from sqlalchemy.exc import IntegrityError

from shared.errors import Conflict

_UNIQUE = "23505"
_FOREIGN_KEY = "23503"
_EXCLUSION = "23P01"
_CONSTRAINT = re.compile(r'constraint "([^"]+)"')
#: Unique constraint or index → what exists already.
_TAKEN = {
    "uq_users_tenant_id_object_id": "A user with this object id",
    "uq_users_tenant_id_address": "A user with this address",
    "uq_archive_configurations_owner_id_name": "An archive configuration with this name",
    "uq_archive_configurations_default": "A default archive configuration of this user",
    "uq_archive_configurations_pair": "An archive configuration with this source and archive",
    "uq_jobs_configuration_id_kind": "A job of this kind of this archive configuration",
    "uq_verifications_open": "An open verification of this archive configuration",
    "uq_backfills_configuration_id": "A backfill of this archive configuration",
    "uq_archive_runs_job_id_scheduled_for": "A run of this job for this instant",
    "uq_archive_runs_running": "A running run of this archive configuration",
    "uq_archive_runs_open_window": "An open run of this window",
    "uq_archived_events_configuration_id_source_key": "An archived event with this source key",
    "uq_archive_operations_run_id_source_key": "An operation of this run for this event",
    "uq_archive_operations_open": "An open operation for this event",
    "uq_appointments_archived_event_id": "An appointment of this archived event",
    "uq_user_exports_open": "An export of this user that is being prepared",
    "uq_user_erasures_open": "An open erasure of this user",
    "uq_invitations_open": "An open invitation of this address",
    "pk_tenants": "This tenant",
    "uq_local_calendars_owner_id_name_key": "A calendar with this name",
    "uq_local_categories_owner_id_name_key": "A category with this name",
    "uq_category_rules_owner_id_relation_match_key": "A rule for the same match",
}


class AlreadyExists(Conflict):
    """The new row conflicts with an existing one. ``constraint`` is the rule in the database."""

    code = "already_exists"
    title = "Already exists"

    def __init__(self, detail: str, *, constraint: str) -> None:
        super().__init__(detail)
        self.constraint = constraint


def constraint_name(error: IntegrityError) -> str:
    """The violated constraint. Empty if the server named none (NOT NULL)."""
    cause = getattr(error.orig, "__cause__", None)
    name = getattr(cause, "constraint_name", None)
    if isinstance(name, str):
        return name
    found = _CONSTRAINT.search(str(error.orig))
    return found.group(1) if found else ""


def constraint_error(error: IntegrityError) -> Conflict | None:
    """The error to raise instead: AlreadyExists or Conflict. None if it is our own mistake.

    A violated CHECK or NOT NULL is a gap in validation, so it stays a 500.
    """
    state = str(getattr(error.orig, "sqlstate", ""))
    name = constraint_name(error)
    if state in (_UNIQUE, _EXCLUSION):
        what = _TAKEN.get(name, "The same resource")
        return AlreadyExists(f"{what} exists already.", constraint=name)
    if state == _FOREIGN_KEY:
        # The server says this when a referenced row is deleted. Otherwise the referenced row is missing.
        if "still referenced" in str(getattr(error.orig, "detail", "") or error.orig):
            return Conflict("It is still in use.", code="in_use")
        return Conflict("It refers to something that does not exist.", code="missing_reference")
    return None
