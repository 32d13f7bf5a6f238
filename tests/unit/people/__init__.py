"""Tests of what is done with people, without a database."""
