"""The acceptance points: one test for each, named after it; ``./dev accept`` runs them."""
