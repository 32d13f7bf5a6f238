"""Archiving: reconcile, plan, apply, finish (design.md, Archive)."""
