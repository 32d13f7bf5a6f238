"""A key for each person, stored outside the database (domain.md 7.1, 15.3)."""
