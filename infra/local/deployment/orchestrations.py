"""Which versions of orchestrations may be in flight."""

from collections.abc import Sequence

import httpx

from infra.local.deployment.artefacts import Record

#: States in which an orchestration still needs code that knows it
#: (https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api, read 2026-11-29).
_UNDER_WAY = "Running,Pending,Suspended,ContinuedAsNew"


async def versions_under_way(
    client: httpx.AsyncClient, base_url: str, record: Record, key: str = ""
) -> Sequence[str]:
    """Those of the running deployment, unless the Durable API says that nothing is in flight.

    The API does not return an instance's version. None is newer than the running code's version for new ones.
    If the API does not answer, some are assumed. Going back then needs code of the same version.
    """
    current = record.current()
    assumed = current.orchestration_versions if current is not None else ()
    try:
        response = await client.get(
            f"{base_url}/runtime/webhooks/durabletask/instances",
            params={"runtimeStatus": _UNDER_WAY, "top": "1", "showInput": "false"},
            # In a header: a key in the address would stand in logs.
            headers={"x-functions-key": key} if key else {},
        )
        none = response.is_success and response.json() == []
    except (httpx.HTTPError, ValueError):
        return assumed
    return () if none else assumed
