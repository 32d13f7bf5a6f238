"""What happens when a person of the tenant without an account signs in (design.md, Who may)."""

from enum import StrEnum


class FirstSignIn(StrEnum):
    """The tenant's policy."""

    OFF = "off"
    INVITATION = "invitation"
    AUTOMATIC = "automatic"


class InvitationState(StrEnum):
    """The state of an invitation."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


def invited_addresses(*addresses: str) -> tuple[str, ...]:
    """The addresses of a directory object as in invitations: trimmed, lower case, unique."""
    return tuple(dict.fromkeys(address.strip().lower() for address in addresses if address.strip()))
