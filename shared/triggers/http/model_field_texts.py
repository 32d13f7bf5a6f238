"""Fields with a special meaning in one model. All others are in ``field_texts``."""

from typing import Final

#: By the name of the model and of the field.
MODEL_FIELDS: Final[dict[str, dict[str, str]]] = {
    "ActionItemEventResource": {
        "start": "When the event starts, UTC.",
        "end": "When the event ends, UTC.",
        "subject": "Subject of the event; null if unknown.",
    },
    "ActionItemResource": {
        "archived": "The meetings that are archived.",
        "log": "What was done about it, the earliest first.",
        "new": "The events that are new in the calendar.",
    },
    "AppointmentResource": {"organizer": "Who called the meeting; null if there is no organizer."},
    "ApprovalRequest": {"days": "For how many days the approval is to hold."},
    "ArchiveOperationResource": {
        "action": "What is done to the archive calendar; nothing is ever deleted.",
        "position": "Place in the order of the calendar.",
    },
    "ArchivePlan": {
        "actions": "Events of the window by what would be done with them.",
        "category_issues": "Events without one clear valid category.",
        "events": "Events with anything to do, by start.",
        "modifications_applied": "Modification events that would change the times of their meeting.",
        "more": "How many further events have anything to do and are not named.",
        "orphan_modifications": "Modification events that belong to no meeting.",
        "outcomes": "The numbers that the run would report, by outcome.",
        "series_questions": "About how many changed series their owner would be asked; null if not told.",
        "superseded": "Copies that another copy would replace; they stay and show as free.",
        "unreadable": "Events that could not be read.",
        "unseen": "Events archived from the window that moved or vanished since.",
    },
    "ArchiveRunResource": {"report": "What became of the events; null until the run is over."},
    "ArchiveRunSummary": {"report": "What became of the events; null until the run is over."},
    "ArchiveConfigurationListQuery": {
        "user_id": "Whose; if not given, the caller's own, or everybody's for Admins and Auditors.",
    },
    "AuditBreak": {
        "audit_id": "Id of the audit entry at that position; null if there is none.",
        "position": "The first position that does not hold.",
    },
    "AuditEntryResource": {
        "outcome": "Whether it succeeded.",
        "user_id": "Id of the user whose data it is about; null if nobody's.",
    },
    "AuditVerification": {
        "broken": "The first position that does not hold; null if all do.",
        "oldest_unsealed_at": "When the oldest unsealed entry was written, UTC; null if all are sealed.",
    },
    "BackfillStart": {"archive_from": "First local date to archive."},
    "BreakGlassResource": {"admin_id": "Object id at Entra of the Admin who sees the private events."},
    "Check": {"name": "What was asked: database, schema or token service."},
    "Component": {"name": "Name of the component.", "status": "Whether the component works."},
    "DoctorCheck": {"name": "What was examined.", "status": "Whether it is set up as it must be."},
    "Live": {"status": "The process answers."},
    "BulkAdd": {"addresses": "Mailbox addresses or user principal names."},
    "BulkEntry": {
        "address": "The address as it was sent, or as the group has it.",
        "object_id": "Object id at Entra; null if nobody was found.",
        "user_id": "Id of the user; null if there is none.",
    },
    "BulkResultResource": {"items": "Every entry, in the order of the request or of the group."},
    "CalendarResource": {"id": "Id of the calendar in its mailbox."},
    "CalendarUse": {
        "name": "Name of the archive configuration.",
        "role": "Whether the calendar is read or written to.",
    },
    "DailySchedule": {"kind": "Every day."},
    "DoctorReport": {"checks": "What was examined."},
    "FindingCounts": {
        "doubled": "Events with more than one copy.",
        "edited": "Copies that say something else than was written.",
        "missing": "Archived time without its copy or without a record.",
        "source_changed": "Source events that changed since they were archived.",
        "unknown": "Events of the archive calendar that no run wrote.",
    },
    "FindingResource": {
        "created_at": "When the difference was found, UTC.",
        "start": "When the event starts, UTC.",
        "reason_code": "What exactly was found; null if it is not shown.",
        "kind": "How source, record and archive differ; null if it is not shown.",
    },
    "InvitationResource": {"user_id": "Id of the user who accepted it; null while nobody did."},
    "LegalHoldResource": {
        "created_at": "When the hold was set, UTC.",
        "reason": "Why nothing of the person may be erased.",
    },
    "LegalHoldWish": {"reason": "Why nothing of the person may be erased."},
    "LocalCalendarResource": {"calendar_id": "Id by which configurations name the calendar."},
    "MailboxApprovalResource": {
        "days": "For how many days it holds, once approved.",
        "user_id": "Id of the user whose configuration it is.",
    },
    "ManualSchedule": {"kind": "Only when somebody asks."},
    "Me": {
        "defaults": "What a new configuration gets where it names nothing else.",
        "kind": "Whether a person or an application calls.",
        "user": "The caller as a user; null if they are none.",
    },
    "MeDefaults": {"time_zone": "IANA zone of a new archive configuration."},
    "MissingCategoriesResource": {
        "created": "The categories that were added.",
        "present": "How many valid categories of the archive Outlook had already.",
    },
    "MonthCustomer": {
        "net_hours_before": "Net hours of the customer in the month before.",
        "total": "All hours of the customer.",
    },
    "MonthModification": {"kind": "What sort of modification it is."},
    "MonthOverlapMember": {"kept": "Whether it is kept; null while that is not decided or not shown."},
    "MonthProposal": {"kept": "Source keys of the events that would be kept."},
    "MonthResource": {
        "customers": "Hours by customer, the most net hours first.",
        "days": "The days of the month.",
        "modifications": "Events that changed the times of a meeting.",
        "user_id": "Id of the user whose month it is; null for a caller without events.",
    },
    "MonthlySchedule": {"kind": "Every month."},
    "NotificationResource": {"status": "How it is meant: information, attention, a failure, or progress."},
    "NotificationUpdate": {"read": "true marks it read, false unread again."},
    "NotificationsMarked": {"marked": "How many were unread before."},
    "NotificationsRead": {"until": "Everything up to this instant is read, with a time zone."},
    "ObjectionDecision": {"goes_on": "Whether the reading continues despite the objection."},
    "OffboardingResource": {"verifications_ended": "How many verifications were stopped."},
    "OverlapChoice": {"action": "keep: only the named events; keep_all: all of them although they overlap."},
    "OverlapMemberResource": {
        "subject": "Subject of the event; null if unknown.",
        "start": "When the event starts, UTC, after modification events.",
        "end": "When the event ends, UTC, after modification events.",
    },
    "OverlapResolution": {
        "action": "keep: only the named events; keep_all: all of them although they overlap."
    },
    "OverlapResource": {
        "log": "What rules and people did about it, the earliest first.",
        "resolution": "What was decided; null while nothing was or it is not shown.",
        "proposal": "The resolution it had before an event changed; null if none or not shown.",
    },
    "OwnMailboxResource": {"read_by": "Approvals to read the caller's mailbox and those they act for."},
    "PersonResource": {
        "name": "Name of the person, as the event has it.",
        "address": "Mail address, as the event has it.",
        "response": "What the person answered.",
        "kind": "Whether the person was needed, optional, or a room or device.",
    },
    "PlannedEvent": {
        "action": "What would be done; null if it is not shown.",
        "subject": "Subject of the event; “Private” for another person's private event.",
    },
    "Problem": {
        "code": "Stable code of the error, for programs; `/api/docs/errors` tells cause and remedy.",
        "detail": "What is wrong with this request, in words.",
        "instance": "Path of the request.",
        "limit": "The limit that was reached; null if the error is about none.",
        "resource_id": "Id of the resource that is there already; null if there is none or it is not told.",
        "status": "HTTP status of the answer.",
        "title": "What sort of error it is, in words.",
        "type": "Where the error is explained, with its cause and remedy.",
    },
    "FieldProblem": {
        "code": "Stable code of the rule, for programs; `/api/docs/errors` tells what it means."
    },
    "ReachedLimit": {
        "name": "Name of the limit: a system setting, or what is rationed.",
        "value": "The limit in force.",
    },
    "Ready": {"checks": "What was asked.", "status": "Whether requests can be served."},
    "RunProblem": {"action": "What should be done with the event.", "status": "What became of it."},
    "SuggestionsApply": {"choices": "Events with the category that each gets."},
    "SystemHealth": {
        "components": "The parts of the system.",
        "version": "Version of what is deployed.",
        "status": "The worst status of its parts.",
    },
    "UserResource": {
        "active": "Whether the person may use the app; false refuses them and deletes nothing.",
    },
    "UserUpdate": {
        "active": "Whether the person may use the app; false refuses them and deletes nothing.",
    },
    "CategoryUpdate": {"name": "New name; only of a category that is kept here."},
    "MonthWeek": {"name": "ISO week, YYYY-Www."},
    "UserErasureResource": {
        "report": "Counts of what was erased, by kind.",
        "step": "The step of the erasure that is done now.",
    },
    "ValidationTotals": {
        "ambiguous": "Events with valid categories of several customers or billing types.",
        "events": "All events that took place.",
        "invalid": "Events whose categories are no valid ones.",
        "not_taken_place": "Events that were cancelled or declined.",
        "valid": "Events with one clear valid category.",
        "without_hours": "Events with a valid category that are all-day or free.",
    },
    "StatisticsPeriod": {
        "name": "The day, ISO week or month: 2026-03-02, 2026-W10 or 2026-03.",
        "invalid": "Events whose categories are no valid ones.",
    },
    "StatisticsResource": {"invalid": "Events whose categories are no valid ones."},
    "VerificationBalance": {
        "unread": "How many could not be read, in the source and in the archive calendar."
    },
    "WeeklySchedule": {"days": "Days of the week.", "kind": "Every week."},
}
#: The meaning of ``kind`` where only the sort of thing differs.
KINDS: Final = {
    "ActionItem": "What sort of question it is.",
    "ArchiveRun": "Why the run exists.",
    "Issue": "What is wrong with the category.",
    "Notification": "What sort of notification it is.",
    "UnappliedModification": "What sort of modification it is.",
    "AnsweredActionItem": "What sort of question it is.",
}
#: What lists are asked with; a name that is not here means what it means in what is listed.
PARAMETERS: Final = {
    "configuration_id": "Only what belongs to this archive configuration.",
    "cursor": "Where the page starts: `next` of the page before.",
    "kind": "Only entries of this kind.",
    "limit": "How many entries a page has at most.",
    "month": "The month, YYYY-MM.",
    "source": "Only events of this calendar, named by its reference.",
    "source_deleted": "true: only those whose event is gone from its calendar; false: only the others.",
    "status": "Only entries with this status.",
    "store": "Only what is kept there.",
    "unresolved": "true: only those archived because nobody resolved their overlap in time; false: only the "
    "others.",
    "user_id": "Whose; the caller's own if not given.",
    "window_end": "End of the window, exclusive, with a time zone; write + as %2B.",
    "window_start": "Start of the window, inclusive, with a time zone; write + as %2B.",
}
#: What a model is about, where its name does not say it.
NOUNS: Final = {
    "AnsweredActionItem": "action item",
    "ArchiveOperationResource": "write",
    "BackfillStart": "backfill",
    "BreakGlassResource": "emergency access",
    "BreakGlassWish": "emergency access",
    "FindingResource": "finding",
    "LocalCalendarUpdate": "calendar",
    "MailboxApprovalResource": "approval",
    "MonthOverlapResource": "overlap",
    "PersonResource": "person",
    "PlannedOverlap": "overlap",
    "ResolvedOverlap": "overlap",
    "UserErasureResource": "erasure",
    "UserExportResource": "export",
}
#: What a model is, or what its values mean, where its code does not say it to a client.
MODELS: Final = {
    "ActionName": "An action that the audit names; `GET /api/v1/audit/actions` tells what each means.",
    "Address": "A mailbox address or user principal name.",
    "ApplyOutcome": "What became of an event: `AppliedCategory` tells what each means.",
    "ApprovalStatusName": "`requested`: it waits for an Admin, or for its start. `approved`: it holds, and "
    "archives run. `objected`: the person read objected, nothing runs until an Admin decides. `refused`: an "
    "Admin said no. `withdrawn`: it was taken back. `lapsed`: the one who approved it is no Admin any more. "
    "`ended`: its time is over.",
    "BodyType": "Whether the body is plain text or HTML.",
    "AttendeeKind": "`resource`: a room or a device. `organizer`: who called the meeting.",
    "AttendeeResponse": "What the person answered to the invitation, as Microsoft Graph says it.",
    "BackfillStatusName": "`waiting`: for its turn, or to try again. `running`: a month is being archived. "
    "`paused`: until somebody resumes it. `completed`: every month is archived.",
    "CalendarName": "Name of a calendar, as Outlook shows it.",
    "ComponentStatus": "`degraded`: it works, but late or only in part. `failing`: it does not work. "
    "`not_configured`: this installation does without it.",
    "Day": "A date of the local calendar, without a time.",
    "EventBody": "Text of the event.",
    "EventBodyType": "Whether the body is plain text or HTML.",
    "EventCategories": "Names of the event's categories, each once.",
    "EventCategory": "Name of a category.",
    "EventImportance": "How important the event is to its owner.",
    "EventLocation": "Where the event takes place.",
    "EventSensitivity": "How private the event is. All but `normal` shows others its times only.",
    "EventShowAs": "How the event shows in the calendar of its owner; `oof` is out of office.",
    "EventSubject": "Subject of the event.",
    "FindingKindName": "`missing`: archived time without its copy or without a record. `doubled`: several "
    "copies of one event. `edited`: a copy says something else than was written. `unknown`: no run wrote it. "
    "`source_changed`: the source changed since it was archived.",
    "FirstSignInPolicy": "What becomes of a person who signs in and is no user yet. `off`: they are refused. "
    "`invitation`: they become a user if an invitation names their address. `automatic`: they become a user.",
    "Held": "What a field held, as text, number, list or object.",
    "Importance": "How important the event is to its owner.",
    "Instant": "A date and time with its offset, such as 2026-03-01T20:00:00Z.",
    "Line": "One line of text, without line breaks.",
    "LocalTime": "A time of the day, HH:MM.",
    "OverlapPolicyName": "What becomes of overlapping events. `keep_all`: all are archived. `flag`: they "
    "wait for their owner. `auto`: rules decide, and what they cannot decide waits.",
    "PurposeName": "`general`: all events are archived. `timesheet`: only billable and non-billable time and "
    "travel.",
    "Reason": "Why, in words; the person concerned reads it.",
    "ResolutionAction": "`keep`: only the named events count. `keep_all`: all of them do although they "
    "overlap.",
    "ResourceTypeName": "A kind of resource that the audit names.",
    "Schedule": "When runs start automatically.",
    "Sensitivity": "How private the event is. All but `normal` shows others its times only.",
    "ShowAs": "How the event shows in the calendar of its owner; `oof` is out of office.",
    "Store": "Where it is kept: `outlook` in the mailbox, `local` in our database.",
    "StoreName": "Where it is kept: `outlook` in the mailbox, `local` in our database.",
    "TravelWord": "A whole word that makes an event a journey.",
    "WeekDay": "A day of the week.",
    "ZoneName": "An IANA or Windows time zone.",
}
#: What each group of operations is about.
TAGS: Final = {
    "action-items": "Questions about archived meetings that wait for their owner.",
    "appointments": "Archived events: our record of what stood in a calendar.",
    "archive-configurations": "Which calendar is archived where, how and when.",
    "archive-runs": "Executions of a configuration for one window, with what became of each event.",
    "audit": "Who changed what, for whom, and whether the record of it is whole.",
    "break-glass-accesses": "Emergency access of an Admin to a person's private events.",
    "calendars": "Calendars of a mailbox and of our database, and the references that name them.",
    "categories": "Categories of events, what is wrong with them, and their hours.",
    "category-rules": "Rules of a person that suggest or give categories.",
    "docs": "This description and the list of errors, for people.",
    "health": "Whether the app is alive and ready, for probes.",
    "invitations": "People who become users at their first sign-in.",
    "local-calendars": "Calendars kept in our database, and their events.",
    "mailbox-approvals": "Approvals to archive another person's mailbox.",
    "me": "The caller, their roles, and what is open about their mailbox.",
    "months": "The month of a person: hours, what needs them, and every event.",
    "needs-attention": "Everything of a person that waits for them, in one list.",
    "notifications": "What people are told.",
    "openapi": "This description, for programs.",
    "overlaps": "Groups of events whose times intersect, and what is decided about them.",
    "system": "Settings of the tenant, and the health of the whole system.",
    "tenants": "Further tenants whose people may use the app.",
    "user-erasures": "Erasures of everything held on a person, confirmed by a second Admin.",
    "user-exports": "Exports of everything held on a person.",
    "users": "The people whose calendars are archived.",
    "verifications": "Comparisons of source, record and archive calendar, and what they found.",
}
