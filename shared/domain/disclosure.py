"""Who sees what of a person's private events (domain.md 6.3)."""

#: What others read in place of anything that a private event says.
PRIVATE = "Private"


def is_disclosed(sensitivity: str | None, *, own: bool) -> bool:
    """Whether more than the times is shown: to the owner always, to others what is marked normal alone.

    What nothing is known of is not shown.
    """
    return own or sensitivity == "normal"
