"""Users, tenants, invitations, and rules of visibility (domain.md 1, 6.3)."""
