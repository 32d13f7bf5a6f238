"""The app roles of Entra ID (domain.md 1)."""

from enum import StrEnum


class Role(StrEnum):
    """App roles of Entra ID. The values are the role names in the token (design.md, Who may)."""

    USER = "User"
    ADMIN = "Admin"
    AUDITOR = "Auditor"
