"""Loads structlog without rich, which it would otherwise load for colours that no line of ours has.

That is a tenth of what a start costs. Whoever wants rich later still gets it.
"""

from __future__ import annotations

import importlib
import sys


def load() -> None:
    """Load structlog once, and let its own check for rich find nothing meanwhile."""
    if "rich" in sys.modules:
        importlib.import_module("structlog")
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # the documented way to make one import fail
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]


load()
