"""Action items about archived meetings (domain.md 2.16, 2.17)."""
