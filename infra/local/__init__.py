"""The whole system on one machine: PostgreSQL, the Graph simulator and the Functions host."""
