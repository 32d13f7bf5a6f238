"""The product."""

import gc
import os

# Before its first model pydantic looks for plugins in the metadata of all installed packages: a tenth of a
# cold start, for plugins nobody installed on purpose.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# What a start makes stays. Looking through it for cycles at every 2,000 objects, as is the default, took 33
# of some 500 ms to the first answer; what little is left in cycles may wait for 200,000.
gc.set_threshold(200_000, 10, 10)
