"""The parts of the Graph adapter that need no network."""
