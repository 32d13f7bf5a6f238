"""Action items about archived meetings: read and answered (domain.md 2.16, 2.17)."""
