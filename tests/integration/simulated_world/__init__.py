"""The parts that simulated worlds are made of, against the real thing they stand for."""
