"""How the simulator behaves: settings, faults, throttling, what it counts."""
