"""Sending one mail: to a folder, or to a mail server. Knows no tenant, no template and no database."""

from .letter import Letter, Mailbox, compose, mailbox
from .outlet import Folder, MailFailed, MailServer, Outlet, open_outlet

__all__ = [
    "Folder",
    "Letter",
    "MailFailed",
    "MailServer",
    "Mailbox",
    "Outlet",
    "compose",
    "mailbox",
    "open_outlet",
]
