"""``python -m infra.local``: what ``./dev`` runs."""

import sys

from infra.local import interrupts


def _main() -> int:
    # Only here: Ctrl-C is caught while the rest is loaded.
    from infra.local.commands import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(interrupts.guarded(_main))
