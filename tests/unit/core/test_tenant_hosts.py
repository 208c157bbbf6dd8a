from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.tenant import is_loopback_host, is_slug, normalise_host, split_authority, url_host

label = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
# A last label that is a number, decimal or hexadecimal, makes the whole an address.
number = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
host_name = st.lists(label, min_size=1, max_size=4).map(".".join).filter(lambda host: not number.fullmatch(host))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        ("  aurora.localhost ", "aurora.localhost"),
        ("127.0.0.2", "127.0.0.2"),
        ("[::1]", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_hosts_have_one_form(text: str, host: str) -> None:
    assert normalise_host(text) == host
    assert normalise_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", " ", "a..b", "a.com..", "-a.com", "a-.com", "https://a.com", "a.com/x", "a.com:80", "a b", "a@b",
        "127.1", "0x7f000001", "2130706433", "256.1.1.1", "1.2.3.4.5", "a.0x7f", "[::1", "::g", "[127.0.0.1]",
        "[a.com]", "x" * 64 + ".com",
        ".".join(["a" * 60] * 5), "a%2ecom", "*.com", "a\n.com", "\uff11\uff12\uff17.0.0.1",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalise_host(text)


@pytest.mark.parametrize("text", ["shop.example.com:443", "127.0.0.1:8000", "localhost:8000"])
def test_a_port_is_refused_as_one(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not a host name") as caught:
        normalise_host(text)
    assert "port" in caught.value.fix


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("aurora.localhost:8000", ("aurora.localhost", 8000)),
        ("AURORA.localhost.", ("aurora.localhost", None)),
        ("127.0.0.2:1", ("127.0.0.2", 1)),
        ("[::1]:8000", ("::1", 8000)),
    ],
)
def test_a_host_header_is_host_and_port(value: str, parts: tuple[str, int | None]) -> None:
    assert split_authority(value) == parts


@pytest.mark.parametrize(
    "value",
    [
        "", " a.com", "a.com ", "good.com@evil.com", "a.com:", "a.com:0", "a.com:65536", "a.com:123456", "a.com:-1",
        "a.com:80:80", "a.com, b.com", "a.com\r\nx: y", "a.com\n", "a\tb.com", "a.com#", "a.com/", "http://a.com",
        "%61.com", "::1", "[::1", "[::1]x", "[127.0.0.1]", "[]", "127.1", "0x7f.1", "2130706433", "bücher.example",
        "a.com..", "a.com:8\u0660",
    ],
)  # fmt: skip
def test_a_malformed_host_header_is_nobodys(value: str) -> None:
    assert split_authority(value) is None


@given(host_name, st.none() | st.integers(1, 65535))
def test_every_spelling_of_a_host_is_the_same_host(host: str, port: int | None) -> None:
    suffix = "" if port is None else f":{port}"
    for spelling in (host, host.upper(), host.title(), host + "."):
        assert split_authority(spelling + suffix) == (host, port)


@given(st.ip_addresses())
def test_an_address_is_itself_in_a_url_and_in_a_host_header(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    host = normalise_host(str(address))
    assert ipaddress.ip_address(host) == address
    assert split_authority(f"{url_host(host)}:8000") == (host, 8000)


@given(st.text(max_size=60))
def test_no_text_breaks_the_header_check(text: str) -> None:
    found = split_authority(text)
    assert found is None or normalise_host(found[0]) == found[0]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("aurora.localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("128.0.0.1", False),
    ],
)
def test_loopback_hosts(host: str, loopback: bool) -> None:  # noqa: FBT001  # pytest passes it by name
    assert is_loopback_host(host) == loopback


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("aurora", True), ("a", True), ("a-1", True), ("a" * 40, True), ("a" * 41, False), ("platform", False),
        ("1a", False), ("a-", False), ("A", False), ("a_b", False), ("", False), ("a\n", False),
    ],
)  # fmt: skip
def test_slugs(text: str, valid: bool) -> None:  # noqa: FBT001  # pytest passes it by name
    assert is_slug(text) == valid
