"""What tests share: a database, settings, factories."""
