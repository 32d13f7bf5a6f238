"""Comparing source, record and archive calendar, and what their owner wants done about it."""
