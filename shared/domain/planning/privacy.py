"""What privacy and out-of-office automation change in a copy, never in its source (domain.md 6)."""

PRIVATE = "private"
OUT_OF_OFFICE = "oof"


def archived_sensitivity(sensitivity: str, *, personal: bool, travel: bool, automation: bool) -> str:
    """The sensitivity of the copy. With the automation, personal events and travel become private.

    A private event stays private (domain.md 6.1).
    """
    return PRIVATE if automation and (personal or travel) else sensitivity


def archived_show_as(show_as: str, *, takes_place: bool, out_of_office: bool) -> str:
    """The ``showAs`` of the copy: ``oof`` if the configuration says so (domain.md 6.4).

    Free time stays free. So do cancelled and declined events, because nobody was away for them.
    """
    return OUT_OF_OFFICE if out_of_office and takes_place and show_as != "free" else show_as
