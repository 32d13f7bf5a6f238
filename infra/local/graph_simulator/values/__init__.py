"""Graph's values: times, zones, series, ids, tokens, errors."""
