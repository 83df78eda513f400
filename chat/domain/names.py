"""A name in a sentence of ours, so that it turns round none of the words beside it.

In a page a name stands in `<bdi>`. A sentence that is written here, and what an attribute holds, has no markup;
there the marks of Unicode do the same.
"""

from __future__ import annotations

import unicodedata

_FROM_FIRST_STRONG, _END = "\u2068", "\u2069"
_TURNING = frozenset({"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"})
_ISOLATES = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))


def apart(name: str) -> str:
    """The name between isolating marks; as it is where nothing in it could turn.

    Marks of its own of that kind are left out, since one of them could end ours.
    """
    if not any(unicodedata.bidirectional(sign) in _TURNING for sign in name):
        return name
    return f"{_FROM_FIRST_STRONG}{name.translate(_ISOLATES)}{_END}"
