"""What the simulator keeps, and how it survives (docs/simulator.md)."""
