"""Makes the routes without pydantic's first version: FastAPI asks of every parameter whether it is of that kind, and
would load all of it to hear that none is. Whoever wants it later still gets it.
"""

from __future__ import annotations

import sys

_SPARED = "pydantic.v1"


def spare() -> None:
    """To be called before the first route is made."""
    if _SPARED not in sys.modules:
        sys.modules[_SPARED] = None  # type: ignore[assignment]  # the documented way to make one import fail


def give_back() -> None:
    """To be called once all routes are made."""
    if sys.modules.get(_SPARED, spare) is None:
        del sys.modules[_SPARED]
