"""The parts of simulated worlds, compared with the real thing that they replace."""
