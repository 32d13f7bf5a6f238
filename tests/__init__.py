"""Tests of the product and of its local system."""
