"""A mail as a value, and its message (RFC 5322). Refuses what could smuggle in a header; sends nothing."""

from __future__ import annotations

import datetime as dt
import re
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Final

from msgspec import Struct

from ..core.email import normalise_email
from ..core.errors import InvalidRequest
from ..core.lines import is_line
from ..core.tenant import normalise_host

_MAX_URL: Final = 500
_MAX_NAME: Final = 200
"""As long as a storefront's name may be, with which subjects begin."""
_MAX_SUBJECT: Final = 2 * _MAX_NAME
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


class _Whole(EmailPolicy):
    """SMTP's policy, which writes a subject and a sender's name beyond ASCII as a whole, and a link as it is.

    The library encodes them word by word, and the spaces between two encoded words are lost to every reader (RFC 2047,
    section 6.2).
    """

    def fold(self, name: str, value: str) -> str:
        """A header as lines."""
        if name == "Subject" and not value.isascii():
            return f"{name}: {self._encoded(str(value), name)}{self.linesep}"
        if name == "From" and not value.isascii():
            (sender,) = value.addresses  # type: ignore[attr-defined]
            phrase = self._encoded(sender.display_name, name)
            return f"{name}: {phrase}{self.linesep} <{sender.addr_spec}>{self.linesep}"
        if name == "List-Unsubscribe" and value.isascii():
            # A link is one word, which the library would encode where it is longer than a line (RFC 2369, section 2).
            return f"{name}: {value}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        """A header as it is sent."""
        return self.fold(name, value).encode("ascii")

    def _encoded(self, text: str, header: str) -> str:
        return Header(text, "utf-8", header_name=header).encode(linesep=self.linesep)


_POLICY: Final = _Whole(linesep="\r\n")


class Mailbox(Struct, frozen=True):
    """An address with the name that it is shown under."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


class Letter(Struct, frozen=True, kw_only=True):
    """One mail to one recipient, in plain text and HTML.

    `reference` names it for ever: a repeated delivery bears the same message id, so that a mail server or a reader
    can tell.
    """

    reference: str
    sender: Mailbox
    recipient: str
    subject: str
    text: str
    html: str
    written_at: dt.datetime
    reply_to: str = ""
    unsubscribe_url: str = ""


def mailbox(text: str) -> Mailbox:
    """A sender such as `Aurora AI <hi@aurora.example>`. Raises InvalidRequest."""
    name, address = parseaddr(text)
    return Mailbox(_one_line(name, "sender", _MAX_NAME), _address(address or text))


def compose(letter: Letter) -> EmailMessage:
    """The message. Raises InvalidRequest for a header that is more than one plain line, and for a bad address."""
    if not _REFERENCE.fullmatch(letter.reference):
        raise InvalidRequest("The mail's reference is malformed.")
    message = EmailMessage(policy=_POLICY)
    sender = letter.sender
    message["From"] = _header_address(_one_line(sender.name, "sender", _MAX_NAME), _sender_address(sender.address))
    message["To"] = _header_address("", _address(letter.recipient))
    if letter.reply_to:
        message["Reply-To"] = _header_address("", _address(letter.reply_to))
    message["Subject"] = _one_line(letter.subject, "subject", _MAX_SUBJECT)
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = f"<{letter.reference}@{sender.domain}>"
    # RFC 3834: no out-of-office answers to this one.
    message["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe_url:
        # RFC 8058: mail readers end these mails with one POST, without opening the page.
        message["List-Unsubscribe"] = f"<{_one_line(letter.unsubscribe_url, 'link', _MAX_URL)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message


def _header_address(name: str, address: str) -> Address:
    user, _, domain = address.rpartition("@")
    return Address(name, user, domain)


def _address(text: str) -> str:
    """One bare address in ASCII: its form leaves no room for a second one or another header."""
    user, _, domain = normalise_email(text).rpartition("@")
    if not user.isascii():
        raise InvalidRequest("The address has letters before the @ that not every mail server takes.", param="email")
    return f"{user}@{normalise_host(domain)}"


def _sender_address(text: str) -> str:
    """As `_address`, or at an address literal (RFC 5321 section 4.1.3), which a storefront without a name has."""
    user, _, domain = text.rpartition("@")
    if domain.startswith("[") and domain.endswith("]"):
        _address(f"{user}@{domain[1:-1].removeprefix('IPv6:')}")
        return text
    return _address(text)


def _one_line(text: str, what: str, longest: int) -> str:
    if not is_line(text) or len(text) > longest:
        raise InvalidRequest(f"The mail's {what} is too long or holds control characters.")
    return text
