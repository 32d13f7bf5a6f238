"""The seeded simulator of the world: real services, real SQL, virtual time, faults at every boundary."""
