"""The product."""

import os

# Before its first model pydantic looks for plugins in the metadata of all installed packages: a tenth of a
# cold start, for plugins nobody installed on purpose.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
