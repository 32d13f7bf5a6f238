"""The month of a person, as JSON, as a page and as lines (domain.md 2.20)."""
