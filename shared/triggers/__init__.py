"""Thin Azure Functions triggers."""
