"""Reads a server's list of models, however it is shaped and paged; never more than is of use to a person.

Names are cut, doubles and nulls left out. What the list does not say is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from chat.errors import BadResponse
from chat.llm.bodies import read_capped
from chat.llm.calls import Endpoint, ModelInfo
from chat.llm.patience import Patience
from chat.llm.wire import RefusedRequest, Wire

MAX_MODELS = 30_000
MAX_PAGES = 40
_PER_PAGE = 1_000
_MAX_BYTES = 20_000_000
_MAX_ID = 200
_LONGEST_S = 300.0  # patience ends it before
_CONTEXT_KEYS = (
    "context_length",
    "max_context_length",
    "max_model_len",
    "context_window",
    "n_ctx",
    "n_ctx_train",
)


class Page(NamedTuple):
    models: list[ModelInfo]
    pages: int


async def list_models(wire: Wire, endpoint: Endpoint, patience: Patience) -> list[ModelInfo]:
    """All pages, in the server's order. Asks for pages because one host's whole list is 8 MB."""
    found: dict[str, ModelInfo] = {}
    number, pages = 1, 1
    while number <= min(pages, MAX_PAGES) and len(found) < MAX_MODELS:
        page = await _page(wire, endpoint, patience, number)
        for model in page.models:
            found.setdefault(model.id, model)
        number, pages = number + 1, page.pages
    return list(found.values())[:MAX_MODELS]


async def _page(wire: Wire, endpoint: Endpoint, patience: Patience, number: int) -> Page:
    try:
        body = await _get(wire, endpoint, patience, {"page": number, "per_page": _PER_PAGE})
    except RefusedRequest as refused:
        if refused.error.status not in (400, 422) or number > 1:
            raise refused.error from None
        body = await _without_paging(wire, endpoint, patience)
    page = read_page(body)
    if page is None:
        raise BadResponse(
            f"{endpoint.name} did not answer with a list of models.",
            "Check the address of the server in Settings (it usually ends in /v1), or type the model's name.",
        )
    return page


async def _without_paging(wire: Wire, endpoint: Endpoint, patience: Patience) -> bytes:
    try:
        return await _get(wire, endpoint, patience, {})
    except RefusedRequest as refused:
        raise refused.error from None


async def _get(wire: Wire, endpoint: Endpoint, patience: Patience, params: dict[str, Any]) -> bytes:
    await wire.ready()
    patience.begin()
    async with patience.wait():
        response = await wire.get(endpoint, "models", params)
        try:
            body = await read_capped(response.read, response.encoding, _MAX_BYTES, _LONGEST_S)
        finally:
            await response.close()
    patience.heard()
    return body


def read_page(body: bytes) -> Page | None:
    """None when the body is no list of models."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    rows = value
    if isinstance(value, dict):
        rows = value.get("data") if isinstance(value.get("data"), list) else value.get("models")
    if not isinstance(rows, list):
        return None
    return Page(list(_models(rows)), _pages(value))


def _pages(value: Any) -> int:
    pagination = value.get("pagination") if isinstance(value, dict) else None
    total = pagination.get("total_pages") if isinstance(pagination, dict) else None
    return total if isinstance(total, int) and total > 0 else 1


def _models(rows: list[Any]) -> Iterator[ModelInfo]:
    for row in rows:
        name = (row.get("id") or row.get("name") or row.get("model")) if isinstance(row, dict) else row
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _MAX_ID or not name.isprintable():
            continue
        about = row if isinstance(row, dict) else {}
        pricing = about.get("pricing")
        prices = pricing if isinstance(pricing, dict) else {}
        yield ModelInfo(name, _context(about), _price(prices.get("prompt")), _price(prices.get("completion")))


def _context(about: dict[str, Any]) -> int | None:
    """The smallest figure given: a provider may allow less than the model could."""
    places = [about, about.get("top_provider"), about.get("meta")]
    figures = [place.get(key) for place in places if isinstance(place, dict) for key in _CONTEXT_KEYS]
    known = [figure for figure in figures if type(figure) is int and 0 < figure < 1 << 40]
    return min(known, default=None)


def _price(value: Any) -> Decimal | None:
    """USD per token. Negative prices mean "it depends" in one provider's list."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price < 1_000 else None
