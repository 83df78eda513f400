"""The whole program behind its pages, as the tests of pages have it."""

from tests.web.conftest import connected, peer, visitor

__all__ = ["connected", "peer", "visitor"]
