from __future__ import annotations

import pytest

from pronoia.config import networks_of, read_settings
from pronoia.domain.errors import ConfigurationError
from pronoia.faces.http.addresses import client_address

PROXIES = networks_of("10.0.0.0/8, 192.0.2.7, fd00::/8")


def address(peer, *forwarded, trusted=PROXIES):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return client_address({"client": (peer, 1), "headers": headers}, trusted)


@pytest.mark.parametrize(
    ("peer", "forwarded", "named"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.1.2.3", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.1.2.3", ["[2001:db8:1:2::9]:4711"], "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["10.0.0.1, 192.0.2.7"], "10.0.0.1"),
        ("10.1.2.3", [], "10.1.2.3"),
    ],
)
def test_a_listed_proxy_says_whom_it_speaks_for(peer, forwarded, named):
    assert address(peer, *forwarded) == named


@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1", "192.0.2.8"])
def test_nobody_else_is_believed(peer):
    assert address(peer, "1.1.1.1") == peer
    assert address(peer, "1.1.1.1", trusted=()) == peer


@pytest.mark.parametrize("text", ["", "nonsense", "1.1.1.1, nonsense", "1.1.1.1, 999.1.1.1", "unknown", "[", "1:2:3"])
def test_what_a_proxy_did_not_write_as_an_address_leaves_the_proxy_to_pay(text):
    assert address("10.1.2.3", text) == "10.1.2.3"


def test_a_flood_of_names_is_read_no_further_than_it_is_of_use():
    assert address("10.1.2.3", "1.1.1.1" + ", 10.0.0.1" * 10_000) == "10.0.0.1"


def test_all_of_an_ipv6_64_is_one_address():
    assert address("2001:db8::1") == address("2001:db8::ffff:1") == "2001:db8::/64"
    assert address("2001:db8:0:1::1") == "2001:db8:0:1::/64"
    assert address("fe80::1%eth0", trusted=()) == "fe80::/64"


@pytest.mark.parametrize("scope", [{"headers": []}, {"client": None, "headers": []}, {"client": ("x", 0)}])
def test_a_peer_without_an_address_is_unknown(scope):
    assert client_address(scope, PROXIES) == "unknown"


def test_a_wrong_network_names_its_setting():
    with pytest.raises(ConfigurationError, match="PRONOIA_TRUSTED_PROXIES"):
        read_settings({"PRONOIA_TRUSTED_PROXIES": "10.0.0.0/8, proxy.example"})
