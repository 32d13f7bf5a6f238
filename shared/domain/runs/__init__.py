"""Runs: window, states, outcome and locked periods (domain.md 2.2, 2.8, 2.11 to 2.13)."""
