"""What a worker loads before it is asked anything (design.md, Money and speed)."""

import subprocess
import sys

_HEAVY = (
    *("sqlalchemy", "asyncpg", "alembic", "pydantic", "pydantic_settings", "httpx", "jwt", "cryptography"),
    *("msgraph", "msgraph_core", "kiota_http", "azure.identity", "azure.storage", "openai"),
)


def test_indexing_the_app_loads_nothing_that_only_requests_need() -> None:
    code = (
        f"import sys, function_app\nprint(sorted(name for name in {_HEAVY!r} if name in sys.modules), end='')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]"
