"""The Graph adapter over real HTTP."""
