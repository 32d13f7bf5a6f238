"""What keeps the app going: the dispatcher, health, limits, settings."""
