from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.mail import Letter, Mailbox, compose, mailbox
from tests.support.letters import AT, letter


def parsed(found: Letter) -> Any:
    return message_from_bytes(compose(found).as_bytes(), policy=policy.default)


def test_a_letter_becomes_one_message_with_both_bodies() -> None:
    message = parsed(letter(reply_to="help@aurora.example"))
    assert message["From"] == "Aurora AI <hi@aurora.example>"
    assert message["To"] == "jane@example.com"
    assert message["Reply-To"] == "help@aurora.example"
    assert message["Subject"] == "Prices change"
    assert message["Message-ID"] == "<mail_01@aurora.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == AT
    assert message.get_body(("plain",)).get_content().strip() == "Hello"
    assert message.get_body(("html",)).get_content().strip() == "<p>Hello</p>"


def test_names_and_subjects_beyond_ascii_survive() -> None:
    message = parsed(letter(sender=Mailbox("Ørsted, “AI”", "hi@aurora.example"), subject="Цены меняются"))
    assert message["From"].addresses[0].display_name == "Ørsted, “AI”"
    assert message["Subject"] == "Цены меняются"


def test_an_international_host_goes_out_in_its_ascii_form() -> None:
    assert parsed(letter(recipient="jane@bücher.example"))["To"] == "jane@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hi\r\nBcc: all@example.com"},
        {"subject": "x" * 201},
        {"recipient": "jane@example.com\nBcc: all@example.com"},
        {"recipient": "jane@example.com, all@example.com"},
        {"recipient": "jane"},
        {"recipient": ""},
        {"recipient": "jäne@example.com"},
        {"reply_to": "a@example.com\r\nX: y"},
        {"sender": Mailbox("A\nBcc: all@example.com", "hi@aurora.example")},
        {"sender": Mailbox("A", "hi@aurora.example>\r\nBcc: x@example.com")},
        {"sender": Mailbox("A", "hi@[127.0.0.2]\r\nBcc: x@example.com")},
        {"sender": Mailbox("A", "h i@[127.0.0.2]")},
        {"reference": "../mail"},
        {"reference": "a\r\nb"},
        {"reference": ""},
    ],
    ids=repr,
)
def test_what_could_smuggle_in_a_header_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        compose(letter(**changes))


@given(name=st.text(max_size=40), subject=st.text(max_size=60), text=st.text(max_size=200))
def test_no_text_adds_a_header(name: str, subject: str, text: str) -> None:
    plain = set(compose(letter()).keys())
    try:
        content = compose(letter(sender=Mailbox(name, "hi@aurora.example"), subject=subject, text=text)).as_bytes()
    except InvalidRequest:
        return
    assert set(message_from_bytes(content, policy=policy.default).keys()) == plain


def test_a_storefront_without_a_name_writes_from_an_address_literal() -> None:
    message = parsed(letter(sender=Mailbox("Aurora", "no-reply@[127.0.0.2]")))
    assert message["From"].addresses[0].domain == "[127.0.0.2]"
    assert message["Message-ID"] == "<mail_01@[127.0.0.2]>"


def test_a_sender_is_read_with_and_without_a_name() -> None:
    assert mailbox("Aurora AI <Hi@Aurora.example>") == Mailbox("Aurora AI", "hi@aurora.example")
    assert mailbox("hi@aurora.example") == Mailbox("", "hi@aurora.example")
    with pytest.raises(InvalidRequest):
        mailbox("Aurora AI")
