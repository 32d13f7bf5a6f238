"""Mailboxes loaded: from JSON, and from calendar files (RFC 5545)."""
