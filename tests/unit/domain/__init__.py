"""The rules, each one alone."""
