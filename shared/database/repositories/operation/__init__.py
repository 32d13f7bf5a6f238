"""The system's state, settings and schema."""
