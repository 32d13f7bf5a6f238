"""The local system: its processes."""
