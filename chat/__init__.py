"""A local-first roleplay engine: one person, their bots, one SQLite file, any OpenAI-compatible model."""

__version__ = "0.1.0"
