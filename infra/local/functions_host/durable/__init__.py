"""Durable Functions on one machine: runs an app's orchestrations, activities and entities."""

from infra.local.functions_host.durable.engine import DurableEngine

__all__ = ["DurableEngine"]
