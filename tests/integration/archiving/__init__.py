"""Archiving end to end in one process: real SQL, real HTTP to the simulator."""
