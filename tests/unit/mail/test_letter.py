from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import example, given
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


ASCII = "ab <>\"'{}%$&,;:()[]=?_"
NAMES = st.text(alphabet=ASCII + "🌙\u200fلي\u202eé", min_size=1, max_size=150)


@given(NAMES | st.text(alphabet=ASCII, min_size=1, max_size=150))
@example("é;ي,{🌙[<'<ل=_ (,\u202eb[[$( >\u202e\u200f%][?ل%:é%ab ?))%\u202e,_::\"a")
def test_every_name_survives_as_sender_and_in_a_subject(text: str) -> None:
    name = f"A{' '.join(text.split())}B"
    found = letter(sender=Mailbox(name, "hi@aurora.example"), subject=f"{name}: Receipt")
    assert parsed(found)["Subject"] == f"{name}: Receipt"
    assert shown_sender(found) == name


def shown_sender(found: Letter) -> str:
    """The sender's name as RFC 2047 has it read: the library's own reader puts spaces between encoded words."""
    raw = message_from_bytes(compose(found).as_bytes(), policy=policy.compat32)["From"]
    phrase, _, address = raw.rpartition(" <")
    assert address == f"{found.sender.address}>"
    if phrase.startswith("=?"):
        return str(make_header(decode_header(phrase)))
    return str(parseaddr(raw)[0])


def test_a_long_link_that_ends_mails_stays_a_link() -> None:
    """No reader of mails decodes an address that is written as encoded words."""
    url = f"https://chat.aurora.example/unsubscribe?customer=cus_01M8CEG2D52HF0ECTXCEXM21Q2&token={'0123456789' * 6}"
    raw = message_from_bytes(compose(letter(unsubscribe_url=url)).as_bytes(), policy=policy.compat32)
    assert raw["List-Unsubscribe"] == f"<{url}>"


def test_an_international_host_goes_out_in_its_ascii_form() -> None:
    assert parsed(letter(recipient="jane@bücher.example"))["To"] == "jane@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hi\r\nBcc: all@example.com"},
        {"subject": "x" * 401},
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
