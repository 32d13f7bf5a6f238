"""The month of a person, as JSON, as a page and as CSV lines (domain.md 2.20)."""
