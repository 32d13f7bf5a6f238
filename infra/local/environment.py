"""Environment of the processes we start: the settings Azure would give, nothing that leads out."""

import os

from infra.local import identities

#: The hosting plan that the local system imitates, as Azure gives it to the host (``WEBSITE_SKU``).
SKU = "FlexConsumption"
#: Names that would lead the app out of this machine or to another database than ours.
_LEFT_OUT = {
    "ADMIN_ASSISTANT_CLIENT_ID",
    "ADMIN_ASSISTANT_CLIENT_SECRET",
    "ADMIN_ASSISTANT_DATABASE_URL",
    "ADMIN_ASSISTANT_MIGRATION_DATABASE_URL",
    "ADMIN_ASSISTANT_OPENAI_API_KEY",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "CORE_DATABASE_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_URL",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "MS_CLIENT_ID",
    "MS_CLIENT_SECRET",
    "MS_TENANT_ID",
    "OPENAI_API_KEY",
    # Without bytecode the imports of every start take twice as long (functions-host.md).
    "PYTHONDONTWRITEBYTECODE",
}


def cleaned() -> dict[str, str]:
    """Our own environment without what must not reach a child; loopback never goes through a proxy."""
    env = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, [env.get(name, ""), "127.0.0.1", "localhost"]))
    env["PYTHONUNBUFFERED"] = "1"
    # gRPC's fork handlers would write into the output of processes started beside it.
    env["GRPC_ENABLE_FORK_SUPPORT"] = "false"
    return env


def for_app(simulator_url: str, database_url: str) -> dict[str, str]:
    """Settings of the Functions app on this machine; ``ADMIN_ASSISTANT_…`` of our own pass through."""
    # PostgreSQL is on this machine. If it takes longer, it is frozen, and the caller is told within 10 s.
    patience = {"ADMIN_ASSISTANT_DATABASE_CONNECT_TIMEOUT": "4"}
    return (
        patience
        | cleaned()
        | {
            "APP_ENV": "local",
            "WEBSITE_SKU": SKU,
            "ADMIN_ASSISTANT_DATABASE_URL": database_url,
            "ADMIN_ASSISTANT_GRAPH_BASE_URL": f"{simulator_url}/v1.0",
            "ADMIN_ASSISTANT_AUTHORITY": simulator_url,
            "ADMIN_ASSISTANT_V1_ISSUER": simulator_url,
            "ADMIN_ASSISTANT_TENANT_ID": identities.TENANT_ID,
            "ADMIN_ASSISTANT_API_AUDIENCE": identities.API_AUDIENCE,
            "ADMIN_ASSISTANT_MAIL_SENDER": identities.MAIL_SENDER,
            "IDENTITY_ENDPOINT": f"{simulator_url}/msi/token",
            "IDENTITY_HEADER": identities.IDENTITY_HEADER,
        }
    )
