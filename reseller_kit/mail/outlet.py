"""The two ways in which a mail leaves: as a file in a folder, or over SMTP. Tries once; when again is the outbox's."""

from __future__ import annotations

import asyncio
import os
import secrets
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from msgspec import Struct

from ..core.errors import InvalidRequest
from ..core.tenant import is_loopback_host
from .letter import Letter, compose

SECONDS: Final = 60
"""The most that one delivery may take, from connecting to the server's last word."""
_STEP_SECONDS: Final = 20
_MAX_REASON: Final = 200
_SUBMISSION_PORT: Final = 587
_SUBMISSION_PORT_TLS: Final = 465


class MailFailed(Exception):
    """A mail was not sent. `reason` holds no secret; `permanent`: trying again would not help."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = "".join(mark if mark.isprintable() else " " for mark in reason)[:_MAX_REASON]
        self.permanent = permanent


class Outlet(Protocol):
    """Where a mail leaves the deployment."""

    async def send(self, letter: Letter) -> None:
        """Hand the letter over. Raises MailFailed, and InvalidRequest for a letter that is none."""


class Folder(Struct, frozen=True):
    """Writes each mail as `<reference>.eml`; sending one again replaces its file."""

    path: Path

    async def send(self, letter: Letter) -> None:
        """Write the mail. Whoever looks sees all of it or nothing."""
        message = compose(letter)
        try:
            await asyncio.to_thread(_write, self.path, letter.reference, message.as_bytes())
        except OSError as error:
            raise MailFailed(f"The mail folder can't be written: {error.strerror}.") from None


class MailServer(Struct, frozen=True, kw_only=True):
    """Hands mails to an SMTP server. `tls`: from the first byte on, instead of by STARTTLS.

    Without `tls` STARTTLS is demanded. A server on this machine needs neither that nor a certificate that is vouched
    for: what is said to it goes over no network.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: bool = False

    def __repr__(self) -> str:
        return f"MailServer(host={self.host!r}, port={self.port})"

    async def send(self, letter: Letter) -> None:
        """Send the mail over a connection of its own."""
        message = compose(letter)
        try:
            async with asyncio.timeout(SECONDS):
                await self._send(message, letter)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
            permanent = all(500 <= refusal.code < 600 for refusal in refusals)
            raise MailFailed(_said(refusals[0]), permanent=permanent) from None
        except aiosmtplib.SMTPResponseException as error:
            raise MailFailed(_said(error)) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # TimeoutError has no text, and texts of others may run over several lines.
            raise MailFailed(f"{self.host}: {type(error).__name__}: {error}") from None

    async def _send(self, message: EmailMessage, letter: Letter) -> None:
        local = is_loopback_host(self.host)
        await aiosmtplib.send(
            message,
            sender=letter.sender.address,
            recipients=[letter.recipient],
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.tls,
            start_tls=None if self.tls or local else True,
            validate_certs=not local,
            # Receivers write this name into the mail's head: the brand's, never this machine's.
            local_hostname=letter.sender.domain,
            timeout=_STEP_SECONDS,
        )


def open_outlet(url: str) -> Outlet:
    """The outlet that a mail URL names: `file:///folder`, `smtp://user:password@host:587` or `smtps://…`.

    Raises InvalidRequest; the message never repeats the URL, which may hold a password.
    """
    unusable = InvalidRequest(
        "The mail URL is not usable.", fix="Use file:///absolute/folder or smtp://user:password@host:587."
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise unusable from None
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Folder(Path(unquote(parts.path)))
    if (
        parts.scheme not in {"smtp", "smtps"}
        or not parts.hostname
        or (parts.username is None) != (parts.password is None)
    ):
        raise unusable
    tls = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (_SUBMISSION_PORT_TLS if tls else _SUBMISSION_PORT),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=tls,
    )


def _said(answer: aiosmtplib.SMTPResponseException) -> str:
    return f"The server refused: {answer.code} {answer.message}"


def _write(folder: Path, reference: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{reference}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(folder / f"{reference}.eml")
    except OSError:
        draft.unlink(missing_ok=True)
        raise
