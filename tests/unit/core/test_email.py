from __future__ import annotations

import pytest

from reseller_kit.core.email import normalise_email, one_mailbox
from reseller_kit.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" Kim.Straße@Example.COM ", "kim.strasse@example.com"),
        ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("\N{FULLWIDTH LATIN SMALL LETTER K}im@example.com", "kim@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("kim+tag@example.com.", "kim+tag@example.com"),
    ],
)
def test_an_address_has_one_form(typed: str, stored: str) -> None:
    assert normalise_email(typed) == stored
    assert normalise_email(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "kim",
        "@example.com",
        "kim@",
        "kim@@example.com",
        "kim@example.com\r\nBcc: eve@example.com",
        "kim@example.com\nX",
        "kim\0@example.com",
        "kim@exam ple.com",
        '"kim"@example.com',
        "kim,eve@example.com",
        "kim<eve@example.com>",
        "kim\N{FULLWIDTH COMMERCIAL AT}x@example.com",
        "k" * 65 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        normalise_email(typed)
    assert caught.value.param == "email"


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("kim+trial7@example.com", "kim@example.com"),
        ("k.i.m+x@gmail.com", "kim@gmail.com"),
        ("kim@googlemail.com", "kim@gmail.com"),
        ("k.im@example.com", "k.im@example.com"),
        ("+x@example.com", "+x@example.com"),
    ],
)
def test_addresses_of_one_mailbox_count_once(address: str, mailbox: str) -> None:
    assert one_mailbox(address) == mailbox
