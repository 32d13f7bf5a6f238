"""Archiving: settle, plan, apply, finish (design.md, Archive)."""
