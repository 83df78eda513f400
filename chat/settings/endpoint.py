"""Which addresses may be a model's server, and which address this program itself may listen on.

One parser decides, when a setting is saved and again when it is used, so the two can never disagree.
It must never resolve a name, open a connection or put credentials into an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from chat.errors import SettingRefused

MAX_URL_CHARS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NEXT = "Type an address such as http://127.0.0.1:11434/v1 or https://openrouter.ai/api/v1."
# The allowed characters are few on purpose: what is left reads the same to every URL parser.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9._~!$&'()*+,;=:%/-]*)?",
    re.IGNORECASE | re.ASCII,
)
_DOTTED_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA_ADDRESSES = frozenset({"100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"})
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_THIS_NETWORK = IPv4Network("0.0.0.0/8")


class Endpoint(NamedTuple):
    """The parts of an accepted address; `host` is lower case and without brackets."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port, always with the port: what a stored key is bound to."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_base_url(url: str, own_ports: Collection[int] = ()) -> str:
    """The address in its plain form, without a trailing slash; "" (the demo) stays "".

    `own_ports` are the ports this program listens on. Raises SettingRefused.
    """
    return parse_base_url(url, own_ports).url if url.strip(" ") else ""


def parse_base_url(url: str, own_ports: Collection[int] = ()) -> Endpoint:
    """The parts of a non-empty address. Raises SettingRefused for anything that is no model's server."""
    _refuse_by_look(url)
    match = _URL.fullmatch(url.strip(" "))
    if match is None:
        raise _refusal("The address of the model's server cannot be read.")
    scheme, host = match["scheme"].lower(), match["host"].lower().strip("[]")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise _refusal("The port in the address of the model's server must lie between 1 and 65535.")
    _refuse_host(host)
    if port in own_ports and is_loopback(host):
        raise _refusal("That is this program's own address, so it would only talk to itself.")
    shown = f"[{host}]" if ":" in host else host
    explicit = f":{port}" if match["port"] else ""
    return Endpoint(f"{scheme}://{shown}{explicit}{(match['path'] or '').rstrip('/')}", scheme, host, port)


def check_bind(host: str) -> str:
    """The host to listen on. Only this machine may reach the program: it has no password yet."""
    plain = host.strip().strip("[]").lower()
    if plain not in _OWN_NAMES:
        raise SettingRefused(
            "This program only listens on this machine (127.0.0.1, ::1 or localhost), because anyone who can "
            "reach it could read your stories and there is no password yet.",
            "Leave --host away. To use it from elsewhere, forward the same port over ssh.",
            field="host",
        )
    return plain


def is_loopback(host: str) -> bool:
    """True for localhost and for every way to write an address of this machine."""
    plain = host.strip("[]").rstrip(".").lower()
    return plain == "localhost" or plain.endswith(".localhost") or _is_loopback_address(plain)


def is_forbidden_address(text: str) -> bool:
    """True for an IP that is never a model's server; `llm` asks it about what names resolve to."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(_never_a_model(one) for one in _readings(address))


def _refuse_by_look(url: str) -> None:
    """The refusals that deserve a sentence of their own, before the address is taken apart."""
    if len(url) > MAX_URL_CHARS:
        raise _refusal(f"The address of the model's server is longer than {MAX_URL_CHARS} characters.")
    if not url.isascii():
        raise _refusal("The address of the model's server holds letters that could be mistaken for others.")
    if not url.isprintable() or "\\" in url or " " in url.strip(" "):
        raise _refusal("The address of the model's server holds a space, a backslash or something invisible.")
    if not url.strip(" ").lower().startswith(("http://", "https://")):
        raise _refusal("The address of the model's server must begin with http:// or https://.")
    if "@" in url:
        raise _refusal("The address of the model's server must not hold a user name or password.")
    if "#" in url or "?" in url:
        raise _refusal("The address of the model's server must end with its path: no ? and no #.")


def _refuse_host(host: str) -> None:
    plain = host.rstrip(".")
    if plain in _METADATA_NAMES or is_forbidden_address(plain):
        raise _refusal("That address belongs to the network's own machinery and is never a model's server.")
    if ":" in plain:
        _readable_ipv6(plain)
    elif _NUMERIC_LABEL.fullmatch(plain.rpartition(".")[2]) and not _is_plain_ipv4(plain):
        raise _refusal("Write the number of the server as four plain decimal numbers, such as 192.168.1.20.")
    elif ".." in plain or not plain or plain.startswith("."):
        raise _refusal("The address of the model's server cannot be read.")


def _readable_ipv6(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise _refusal("The address of the model's server cannot be read.") from None


def _is_plain_ipv4(text: str) -> bool:
    return bool(_DOTTED_QUAD.fullmatch(text)) and all(int(part) < 256 for part in text.split("."))


def _readings(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address itself and every IPv4 address hidden inside it."""
    if isinstance(address, IPv4Address):
        return [address]
    hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if 1 < int(address) < 1 << 32:  # the old "IPv4-compatible" form, ::a.b.c.d
        hidden.append(IPv4Address(int(address)))
    return [address, *(one for one in hidden if one is not None)]


def _never_a_model(address: IPv4Address | IPv6Address) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return True
    if str(address) in _METADATA_ADDRESSES or str(address) == "255.255.255.255":
        return True
    if isinstance(address, IPv4Address):
        return address in _THIS_NETWORK
    return any(address in network for network in _NAT64)


def _is_loopback_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(one.is_loopback for one in _readings(address))


def _refusal(message: str) -> SettingRefused:
    return SettingRefused(message, _NEXT, field="base_url")
