"""`python -m infra.local.functions_host start`: see `--help`."""

import sys

# Without bytecode every start takes about twice as long (functions-host.md); PYTHONDONTWRITEBYTECODE is often
# set for containers, where nothing is started twice. Set before anything else is imported.
sys.dont_write_bytecode = False

if __name__ == "__main__":
    from infra.local.functions_host.main import main

    sys.exit(main(sys.argv[1:]))
