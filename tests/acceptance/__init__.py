"""Acceptance points: `./dev accept`."""
