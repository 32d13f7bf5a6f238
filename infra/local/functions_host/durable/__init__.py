"""Durable Functions on one machine: the engine that runs orchestrations, activities and entities of an app."""

from infra.local.functions_host.durable.engine import DurableEngine

__all__ = ["DurableEngine"]
