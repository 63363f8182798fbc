"""Whether a request comes from near by."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NEAR = tuple(
    map(
        ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
    )
)


def is_near(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Say whether the peer, None for a socket of this machine, and all who it speaks for have private addresses.

    A proxy on this machine makes every peer a near one, and tells in X-Forwarded-For whom it speaks for.
    """
    forwarded = headers.get("x-forwarded-for", "")
    names = [peer or "127.0.0.1", *(name.strip() for name in forwarded.split(",") if name.strip())]
    return all(map(_has_private_address, names))


def _has_private_address(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in NEAR)
