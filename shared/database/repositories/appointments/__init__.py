"""Our own record of archived events (domain.md 1)."""
