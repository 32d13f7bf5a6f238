"""Users, tenants, invitations and what may be seen (domain.md 1, 6.3)."""
