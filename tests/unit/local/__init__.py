"""The local system: its parts that need no process."""
