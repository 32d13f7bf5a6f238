"""Action items about archived meetings: reading and answering (domain.md 2.16, 2.17)."""
