"""The product."""

import gc
import os

# Before its first model pydantic looks for plugins in the metadata of all installed packages: a tenth of a
# cold start, for plugins nobody installed on purpose.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# What a start makes stays. Looked through for cycles at every 2,000 objects, as is the default, it costs a
# tenth of the start, and of every plan; what little is left in cycles may wait for 200,000.
gc.set_threshold(200_000, 10, 10)
