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


def test_a_first_read_loads_no_sqlalchemy() -> None:
    loaded = (
        *(
            "shared.triggers.http.serving",
            "shared.services.identity.tokens",
            "shared.services.identity.signing_keys",
        ),
        *("shared.services.approvals.sign_ins", "shared.services.operation.rate_limit"),
        *(
            "shared.services.appointments.reading",
            "shared.schemas.appointments",
        ),
    )
    code = f"import sys\nimport {', '.join(loaded)}\nprint('sqlalchemy' in sys.modules, end='')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "False"
