"""A small Azure Functions host for one machine: serves any Python v2 app from its folder, as `func start`."""
