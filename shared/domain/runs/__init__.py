"""Runs: window, states, outcome, and what they may not touch (domain.md 2.2, 2.8, 2.11 to 2.13)."""
