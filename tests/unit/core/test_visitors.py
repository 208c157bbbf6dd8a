from __future__ import annotations

import ipaddress

import pytest

from reseller_kit.core.visitors import browser_name, client_address, place_of, throttled_as

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0", "Edge · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari · iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/150.0 Safari/537.36", "Chrome · macOS"),
        ("curl/8.5.0", "curl"),
        ("", ""),
        ("x" * 100_000, ""),
    ],
)
def test_a_browser_has_the_name_that_people_know(agent: str, name: str) -> None:
    assert browser_name(agent) == name


@pytest.mark.parametrize(
    ("address", "place", "counted"),
    [
        ("203.0.113.77", "203.0.113.x", "203.0.113.77"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.77", "203.0.113.x", "203.0.113.77"),
        ("nonsense", "", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_a_place_is_coarse_and_a_subscriber_counts_once(address: str, place: str, counted: str) -> None:
    assert place_of(address) == place
    assert throttled_as(address) == counted


def test_nobody_but_a_trusted_proxy_is_believed() -> None:
    assert client_address("203.0.113.7", ["198.51.100.1"], []) == "203.0.113.7"
    assert client_address("203.0.113.7", ["198.51.100.1"], PROXIES) == "203.0.113.7"


def test_what_a_client_wrote_itself_is_never_reached() -> None:
    forged = ", ".join(f"198.51.100.{n % 250}" for n in range(1000))
    assert client_address("10.0.0.1", [forged + ", 203.0.113.7"], PROXIES) == "203.0.113.7"
    assert client_address("10.0.0.1", [forged, "203.0.113.7, 10.0.0.9"], PROXIES) == "203.0.113.7"


def test_a_proxy_that_says_nothing_usable_is_the_client_itself() -> None:
    assert client_address("10.0.0.1", [], PROXIES) == "10.0.0.1"
    assert client_address("10.0.0.1", ["unknown"], PROXIES) == "10.0.0.1"
    assert client_address("", ["203.0.113.7"], PROXIES) == ""
