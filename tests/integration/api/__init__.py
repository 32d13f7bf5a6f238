"""The HTTP API: real functions, real PostgreSQL, tokens and mailboxes of the simulator."""
