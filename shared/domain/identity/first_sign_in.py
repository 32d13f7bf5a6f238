"""What becomes of a person of the tenant who signs in and is no user yet (design.md, Who may)."""

from enum import StrEnum


class FirstSignIn(StrEnum):
    """The tenant's policy."""

    OFF = "off"
    INVITATION = "invitation"
    AUTOMATIC = "automatic"


class InvitationState(StrEnum):
    """What became of an invitation."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


def invited_addresses(*addresses: str) -> tuple[str, ...]:
    """The addresses of a directory object as invitations name them: trimmed, in lower case, each once."""
    return tuple(dict.fromkeys(_folded(address) for address in addresses if address.strip()))


def _folded(address: str) -> str:
    return address.strip().lower()
