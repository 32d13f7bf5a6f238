"""Verifications and backfills over a real database and a simulated mailbox."""
