"""A local-first roleplay engine: one person, their bots, one SQLite file, any OpenAI-compatible model."""

import os

# A plugin of pydantic would see every value that is checked, the key included, and looking for one takes a start time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
