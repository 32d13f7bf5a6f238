"""What privacy and out-of-office automation make of an archived copy, never of its source (domain.md 6)."""

PRIVATE = "private"
OUT_OF_OFFICE = "oof"


def archived_sensitivity(sensitivity: str, *, personal: bool, travel: bool, automation: bool) -> str:
    """The sensitivity of the copy: personal events and travel become private if the automation is on.

    What is private stays private (domain.md 6.1).
    """
    return PRIVATE if automation and (personal or travel) else sensitivity


def archived_show_as(show_as: str, *, takes_place: bool, out_of_office: bool) -> str:
    """The ``showAs`` of the copy: ``oof`` where the configuration says so (domain.md 6.4).

    Free time stays free, and so does what was cancelled or declined: nobody was away for it.
    """
    return OUT_OF_OFFICE if out_of_office and takes_place and show_as != "free" else show_as
