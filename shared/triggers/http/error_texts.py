"""The meaning of each error code of the API, and its remedy (the page ``/api/docs/errors``)."""

from typing import Final, NamedTuple


class ErrorText(NamedTuple):
    """The status of the code, its cause, and the remedy."""

    status: int
    cause: str
    remedy: str


_READ_AGAIN: Final = "Read the resource again and decide by its status."
_ANOTHER_ADMIN: Final = "Ask another Admin."
_LATER: Final = "Send the request again after the seconds that Retry-After names."

ERRORS: Final[dict[str, ErrorText]] = {
    "access_open": ErrorText(
        409,
        "You have an emergency access to this person already.",
        "Use it, or close it before you open another.",
    ),
    "action_item_over": ErrorText(409, "The action item was answered, expired or closed.", _READ_AGAIN),
    "address_taken": ErrorText(
        409, "Another user has this mailbox address.", "Give the other user their present address first."
    ),
    "admin_needed": ErrorText(
        403,
        "The archive reads or writes another person's calendar, so only Admins act through it.",
        "Ask an Admin.",
    ),
    "already_accepted": ErrorText(
        409, "The invitation was accepted; there is a user now.", "Deactivate the user instead."
    ),
    "already_exists": ErrorText(
        409,
        "The same resource exists; `resource_id` is its id where you may know it.",
        "Use what exists, or choose another name.",
    ),
    "approval_state": ErrorText(409, "The approval is in a status that does not allow this.", _READ_AGAIN),
    "archive_calendar_exists": ErrorText(
        409, "The archive calendar exists, so there is nothing to rebuild.", "Start an archive run."
    ),
    "archive_calendar_gone": ErrorText(
        409,
        "Copies that were lost with the archive calendar are not all created again.",
        "Rebuild the archive calendar, then try again.",
    ),
    "archive_in_use": ErrorText(
        422,
        "Another configuration archives the same calendar into the same archive.",
        "Choose another archive calendar, or delete the other configuration.",
    ),
    "backfill_over": ErrorText(409, "The backfill is completed.", "Start it again with another first day."),
    "body_missing": ErrorText(400, "The operation needs a JSON body.", "Send one."),
    "break_glass_needed": ErrorText(
        403, "An export with another person's private events needs an emergency access.", "Open one first."
    ),
    "break_glass_over": ErrorText(
        403, "The emergency access of the export ended, or is another Admin's.", "Open one and export again."
    ),
    "calendar_has_two_roles": ErrorText(
        409,
        "A calendar is the source of one configuration and the archive of another.",
        "Choose other calendars.",
    ),
    "calendar_name_taken": ErrorText(
        409,
        "The mailbox has another calendar of the archive's name.",
        "Rename that calendar, then ask again.",
    ),
    "conflict": ErrorText(409, "The state of the resource does not allow the change.", _READ_AGAIN),
    "consent_required": ErrorText(
        403,
        "The person, or an administrator, has not agreed to a permission yet.",
        "Sign in again and agree.",
    ),
    "copy_gone": ErrorText(
        409, "The copy is not in the archive calendar any more.", "Verify the archive again."
    ),
    "cross_site_request": ErrorText(
        403,
        "A change with a sign-in cookie came from another site, or without its header.",
        "Send X-Requested-By from a page of the same origin, or use an access token.",
    ),
    "erasure_begun": ErrorText(
        409, "The erasure of the user has begun and cannot be undone.", "Wait for its end."
    ),
    "erasure_blocked": ErrorText(
        409,
        "Something blocks the erasure; the detail names it.",
        "Remove what blocks it, such as a legal hold.",
    ),
    "erasure_open": ErrorText(409, "An erasure of this user is open.", "Confirm or withdraw it."),
    "erasure_over": ErrorText(409, "The erasure is withdrawn or completed.", _READ_AGAIN),
    "export_in_progress": ErrorText(
        409, "Another export of this user is being prepared.", "Wait for its end."
    ),
    "export_not_ready": ErrorText(409, "The export is not ready.", "Wait until its status is ready."),
    "finding_resolved": ErrorText(409, "The finding was resolved before.", _READ_AGAIN),
    "forbidden": ErrorText(
        403, "Your role does not allow this, or your user is deactivated.", "Ask an Admin."
    ),
    "graph_refused": ErrorText(
        502,
        "Microsoft Graph refused; the detail has its code.",
        "Have an administrator check consent and mailbox scope (GET /api/v1/system/doctor).",
    ),
    "graph_unavailable": ErrorText(503, "Microsoft Graph is away or throttles.", _LATER),
    "group_not_found": ErrorText(
        404, "The directory has no such group.", "Check the object id of the group."
    ),
    "home_tenant_only": ErrorText(
        403, "Only Admins of the installation's home tenant may do this.", "Ask an Admin of the home tenant."
    ),
    "idempotency_key_invalid": ErrorText(
        400,
        "Idempotency-Key is empty, too long, or has a space.",
        "Send 1 to 255 printable ASCII characters.",
    ),
    "if_match_invalid": ErrorText(
        400, "If-Match is neither * nor a list of entity tags.", 'Send the ETag as you got it, such as "7".'
    ),
    "in_use": ErrorText(409, "Something else still uses the resource.", "Remove what uses it first."),
    "interaction_required": ErrorText(
        401, "The token service wants you to sign in again.", "Sign in with the claims of WWW-Authenticate."
    ),
    "internal_error": ErrorText(
        500,
        "Something went wrong on our side.",
        "Tell an administrator the correlation id; it names the log.",
    ),
    "invalid_request": ErrorText(400, "The request cannot be read.", "Correct what the detail names."),
    "invalid_token": ErrorText(
        401, "The access token is expired, damaged, or for another audience.", "Get a new token for this API."
    ),
    "is_source": ErrorText(
        409, "Another configuration reads the calendar of that name.", "Rename that calendar, then ask again."
    ),
    "json_invalid": ErrorText(400, "The body is not JSON in UTF-8.", "Send valid JSON."),
    "json_key_repeated": ErrorText(400, "An object of the JSON has a key twice.", "Send each key once."),
    "json_too_deep": ErrorText(400, "The JSON is nested too deeply.", "Send it flatter."),
    "key_not_destroyed": ErrorText(
        500,
        "The encryption key of an erased person is still there.",
        "Have an administrator check the key store.",
    ),
    "limit_reached": ErrorText(
        422,
        "The person has as many as the tenant allows; `limit` says which limit.",
        "Delete some, or ask an Admin.",
    ),
    "mailbox_not_found": ErrorText(404, "There is no such mailbox.", "Check the address."),
    "mailbox_not_permitted": ErrorText(
        409,
        "A calendar is another person's and no approval holds.",
        "Ask for an approval and have it approved.",
    ),
    "method_not_allowed": ErrorText(405, "The path does not have this method.", "Use one that Allow names."),
    "missing_reference": ErrorText(
        409, "Something that it refers to was deleted in between.", "Read it again."
    ),
    "no_approval_needed": ErrorText(
        409, "The configuration's calendars are its owner's own.", "Continue without an approval."
    ),
    "no_backfill": ErrorText(404, "The configuration has no backfill.", "Start one."),
    "not_archived": ErrorText(
        409, "The event has no copy in the archive yet.", "Wait until it is archived, then ask again."
    ),
    "not_edited": ErrorText(
        409, "The finding is no edit of a copy.", "Adopt findings of the kind edited alone."
    ),
    "not_found": ErrorText(404, "There is no such resource, or none you may know of.", "Check the id."),
    "not_missing": ErrorText(
        409, "The finding is no missing copy.", "Put back findings of the kind missing alone."
    ),
    "not_provisioned": ErrorText(403, "You are no user of this app.", "Ask your administrator to add you."),
    "not_rebuildable": ErrorText(
        409, "A primary calendar cannot be created again.", "Choose another archive calendar."
    ),
    "nothing_to_retry": ErrorText(409, "Every write of the run was done.", "Nothing needs to be done."),
    "on_behalf_of_not_set_up": ErrorText(
        503, "The app cannot act on behalf of a person.", "Have an administrator complete the registration."
    ),
    "overlap_over": ErrorText(409, "The events do not overlap any more.", "Nothing needs a decision."),
    "own_account": ErrorText(409, "Nobody does this to their own account.", _ANOTHER_ADMIN),
    "own_approval": ErrorText(403, "Nobody approves what they gain by.", _ANOTHER_ADMIN),
    "own_assistant": ErrorText(409, "Nobody is their own assistant.", "Name somebody else, or nobody."),
    "own_content": ErrorText(409, "These are your own events.", "Read them as you do every day."),
    "own_decision": ErrorText(
        403, "The Admin who approved does not decide about the objection.", _ANOTHER_ADMIN
    ),
    "own_export": ErrorText(403, "A person's own export is for them alone.", "Ask for another export."),
    "own_request": ErrorText(403, "Nobody agrees to their own request.", "Ask the person read."),
    "payload_too_large": ErrorText(413, "The body is too large.", "Send less at once."),
    "period_locked": ErrorText(
        409, "A finalised timesheet locks the period.", "Reopen the timesheet, or leave the period as it is."
    ),
    "person_cannot_be_told": ErrorText(
        409,
        "The person read cannot be told, so their calendar is not read.",
        "Set up mail, or add them as a user.",
    ),
    "person_erased": ErrorText(
        409, "The person whose calendar it reads was erased.", "Delete the configuration."
    ),
    "person_needed": ErrorText(403, "An application may not do this.", "Sign in as a person."),
    "person_read_needed": ErrorText(403, "Only the person read, or their assistant, says this.", "Ask them."),
    "precondition_failed": ErrorText(
        412,
        "The resource changed since you read it.",
        "Read it again, then send the change with the new ETag.",
    ),
    "precondition_required": ErrorText(
        428,
        "The change does not say which version it is meant for.",
        "Send If-Match with the resource's ETag.",
    ),
    "private_appointment": ErrorText(
        403, "A private appointment is its owner's to edit.", "Ask the person whose appointment it is."
    ),
    "private_event": ErrorText(
        403, "Another person's private event is theirs to decide on.", "Ask the person whose event it is."
    ),
    "privileged_database_role": ErrorText(
        500,
        "The app runs with a database role that may do too much.",
        "Have an administrator set the app's role.",
    ),
    "rate_limited": ErrorText(429, "You sent too many requests; `limit` says which limit.", _LATER),
    "request_under_way": ErrorText(409, "The same request is being worked on.", _LATER),
    "role_missing": ErrorText(
        403,
        "The operation needs a role that you do not have; the detail names it.",
        "Ask an Admin for the role.",
    ),
    "run_in_progress": ErrorText(409, "A run is queued or in progress.", "Wait for its end."),
    "run_over": ErrorText(409, "The run is over.", _READ_AGAIN),
    "second_admin_needed": ErrorText(
        409, "Another Admin has to confirm; the detail says from when on you may.", _ANOTHER_ADMIN
    ),
    "storage_not_set": ErrorText(503, "No storage is set up for files.", "Have an administrator set it up."),
    "unauthenticated": ErrorText(401, "There is no access token.", "Sign in and send it as a bearer token."),
    "unavailable": ErrorText(503, "A system that the answer needs is away or busy.", _LATER),
    "unsupported_media_type": ErrorText(
        415, "The body is not declared as JSON.", "Send Content-Type: application/json."
    ),
    "user_deactivated": ErrorText(409, "The user is deactivated.", "Reactivate the user first."),
    "validation_failed": ErrorText(
        422, "Fields break a rule; `errors` names each with what is wrong.", "Correct these fields."
    ),
    "verification_in_progress": ErrorText(
        409, "Another window of the configuration is being verified.", "Wait for its end."
    ),
}

#: What the code of a field in ``errors`` means; its message says what is wrong with this one.
FIELD_CODES: Final[dict[str, str]] = {
    "all_day": "An all-day event has no times of the day to change.",
    "ambiguous": "The name says several categories at once; name one.",
    "answer_does_not_fit": "The question has other answers; the item's `answers` has them.",
    "archiving_begun": "It cannot change any more once something is archived.",
    "calendar_not_resolved": "No calendar, or more than one, has this name; the message lists what there is.",
    "calendar_reference": "It is no calendar reference, such as msgraph://ada@example.com/calendar.",
    "chosen_twice": "One event is named twice.",
    "control_character": "The text has a character that cannot be kept or shown.",
    "cursor_invalid": "The cursor is of another list, other filters or another caller: start without one.",
    "date_invalid": "It is no date such as 2026-11-01.",
    "either_or": "Name one of them, not both.",
    "empty_customer": "The category names no customer.",
    "event_id_invalid": "It is no id of an event in Outlook.",
    "group_too_large": "The group has more people than one request adds.",
    "group_unknown": "The directory has no such group.",
    "id_invalid": "It is no id such as 6f9619ff-8b86-4d01-b42d-00cf4fc964ff.",
    "immutable": "This never changes; make another one.",
    "in_future": "It must not lie in the future.",
    "instant_invalid": "It is no date and time such as 2026-11-01T00:00:00Z.",
    "invalid": "The message says what is wrong.",
    "is_archive": "The calendar is the archive of another configuration.",
    "is_source": "The calendar is the source of another configuration.",
    "kept_and_action": "The events to keep and the action contradict each other.",
    "key_reused": "The Idempotency-Key came with another request before: choose another one.",
    "known_end": "Position and hash go together.",
    "length": "The text or list is too short or too long.",
    "mailbox_refused": "The mailbox service refuses it; the message has its reason.",
    "mailbox_unknown": "The directory has no such mailbox.",
    "match_empty": "The rule says nothing to compare by.",
    "missing": "The field is required.",
    "missing_separator": 'Customer and billing type are not separated by " - ".',
    "modifier_only": "Online only says how people met: name a customer and billing type.",
    "month_invalid": "It is no month such as 2026-03.",
    "named_once": "Name the appointment or the event, not both.",
    "no_person": "The mailbox is a room's or the like, not a person's.",
    "not_a_date": "An all-day event begins and ends at midnight UTC of a date.",
    "not_one_of": "It is none of the values that are listed.",
    "nothing_to_apply": "Name a choice, or a range for the rules.",
    "nothing_to_backfill": "There is nothing before what the nightly runs cover.",
    "nothing_to_change": "Name at least one field.",
    "object_id_differs": "The object id is not that of the mailbox.",
    "out_of_range": "The number or date is too small or too large.",
    "plus_not_escaped": "A + in a query means a space: write %2B.",
    "range_empty": "There is nothing in the range.",
    "range_incomplete": "Name both ends.",
    "range_order": "The end must lie after the start.",
    "range_too_long": "The range is longer than one request may ask for.",
    "range_twice": "Name instants or days, not both.",
    "read_only": "The calendar cannot be written to.",
    "repeated": "It is named twice.",
    "same_as_source": "The archive must differ from the source.",
    "still_overlapping": "The events to keep still overlap.",
    "time_zone_missing": "The time needs a zone, such as the Z of 2026-11-01T00:00:00Z.",
    "time_zone_unknown": "It is no time zone such as Europe/Vienna.",
    "unknown_billing_type": "The billing type is neither billable nor non-billable.",
    "unknown_field": "The request has no such field or parameter here.",
    "unknown_member": "No event of the group has this key.",
    "wrong_form": "The text does not have the form that the message describes.",
    "wrong_type": "It is of another type, such as a text in place of a number.",
}
