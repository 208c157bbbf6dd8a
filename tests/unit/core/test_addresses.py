"""Allowed addresses: one spelling, both protocols, and nothing that was not named."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.addresses import MAX_NETWORKS, admits, parse_networks
from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.public_addresses import is_public

ADDRESSES = st.ip_addresses()


def test_networks_have_one_spelling() -> None:
    given_texts = (" 203.0.113.7/32", "203.0.113.7", "2001:DB8:0::/32", "::ffff:10.0.0.0/104", "0.0.0.0/0")
    assert parse_networks(given_texts) == ("203.0.113.7", "2001:db8::/32", "10.0.0.0/8", "0.0.0.0/0")
    assert parse_networks(()) == ()


@pytest.mark.parametrize("text", ["", "home", "300.1.1.1", "10.0.0.1/8", "10.0.0.0/33", "::g", "127.1", "0x7f000001"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_networks([text])
    assert caught.value.param == "allow_ips"


def test_there_is_a_limit() -> None:
    with pytest.raises(InvalidRequest):
        parse_networks(f"10.0.{number}.1" for number in range(MAX_NETWORKS + 1))


@given(ADDRESSES)
def test_an_address_is_admitted_by_itself_and_by_no_other(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    own = parse_networks([str(address)])
    assert admits(own, str(address))
    assert not admits(own, str(address + 1 if int(address) < 2**31 else address - 1))
    assert admits((), str(address))


def test_mapped_addresses_are_the_ones_they_stand_for() -> None:
    assert admits(("10.0.0.0/8",), "::ffff:10.1.2.3")
    assert not admits(("10.0.0.0/8",), "::10.1.2.3")
    assert not admits(("10.0.0.0/8",), "")
    assert not admits(("10.0.0.0/8",), "unknown")


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_a_public_address_is_one_in_every_form(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize(
    "text",
    ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:127.0.0.1", "fd00::1", "0.0.0.0", "224.0.1.1", "168.63.129.16"],
)
def test_a_private_address_is_none_in_any_form(text: str) -> None:
    assert not is_public(text)
