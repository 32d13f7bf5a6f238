"""Graph's resources over the wire."""
