"""Tests of the parts against real neighbours."""
