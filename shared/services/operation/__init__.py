"""Operation of the app: dispatcher, health, limits, settings."""
