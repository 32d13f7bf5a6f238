"""``python -m infra.local``: what ``./dev`` runs."""

import sys

if __name__ == "__main__":
    from infra.local.commands import main

    sys.exit(main(sys.argv[1:]))
