"""People who join, are exported, leave and are erased."""
