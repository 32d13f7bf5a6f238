"""The token service: sign-in and tokens."""
