"""The Functions host, driven as a process over HTTP."""
