"""What every test lives with: no network but loopback. Fixtures stand beside the tests that use them."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

if (
    settings().deadline is not None
):  # what Hypothesis brings for CI has none either: a busy machine is no fault
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


class OutsideWorld(BaseException):
    """A test tried to leave this machine. Not an Exception, so no retry or fallback can swallow it."""


def _must_stay_here(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost") or not isinstance(name, str):
        return
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise OutsideWorld(f"A test asked for the address of {name}.") from None
    if not (address.is_loopback or address.is_unspecified):
        raise OutsideWorld(f"A test tried to reach {name}.")


def _host_of(family: int, address: Any) -> Any:
    return address[0] if family in (socket.AF_INET, socket.AF_INET6) else None


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _must_stay_here(_host_of(self.family, address))
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _must_stay_here(_host_of(self.family, address))
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
    _must_stay_here(host)
    return _getaddrinfo(host, *args, **named)


UNCOUNTED = {"properties", "browser", "kills"}
"""What these tests run through does not count for the coverage: counting takes a third of the time of what is done
thousands of times, and the lines are counted where each has its own test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: at the end all others would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if UNCOUNTED & set(item.path.relative_to(item.config.rootpath).parts):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True, scope="session")
def no_network_but_loopback() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guarded_connect)
        patch.setattr(socket.socket, "connect_ex", _guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", _guarded_getaddrinfo)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Half a surrogate pair in captured output (hostile text in a log) cannot cross to another process."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections
    ]
    return report
