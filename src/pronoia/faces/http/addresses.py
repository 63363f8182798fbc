"""Where a request comes from, as far as it can be believed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network

    from litestar.types import HTTPScope

IPV6_PREFIX = 64
"""Whoever has one IPv6 address usually has all of its /64."""
UNKNOWN = "unknown"
PROXIES_READ = 32

Address = IPv4Address | IPv6Address


def client_address(scope: HTTPScope, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """Name the address that a request is charged to: that of the peer, or what trusted proxies say of it.

    X-Forwarded-For is read from the right, where the nearest proxy wrote, and no further than the first address that
    is no proxy of ours: everything left of it may be made up.
    """
    client = scope["client"] if "client" in scope else None  # noqa: SIM401 - a typed key has no typed get
    address = None if client is None else _parse(client[0])
    if address is None:
        return UNKNOWN
    if trusted and _is_trusted(address, trusted):
        for text in reversed(_forwarded(scope)[-PROXIES_READ:]):
            named = _parse(text)
            if named is None:
                break
            address = named
            if not _is_trusted(address, trusted):
                break
    return _name(address)


def _name(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> IPV6_PREFIX << IPV6_PREFIX, IPV6_PREFIX)))


def _forwarded(scope: HTTPScope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return ",".join(values).split(",")


def _parse(text: str) -> Address | None:
    """Read an address, with or without a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in trusted)
