"""A key for each person, kept outside the database (domain.md 7.1, 15.3)."""
