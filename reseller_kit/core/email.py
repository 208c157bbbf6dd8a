"""E-mail addresses in the one form in which they are stored and compared. Sends nothing."""

from __future__ import annotations

from .errors import InvalidRequest
from .manifest.findings import Refusal
from .manifest.texts import read_email


def normalise_email(text: str) -> str:
    """The address, case-folded. Raises InvalidRequest for what is no address."""
    try:
        return str(read_email(text))
    except Refusal as refusal:
        raise InvalidRequest(refusal.message, param="email", fix=refusal.fix) from None


def one_mailbox(address: str) -> str:
    """What addresses of one mailbox share, for what each person gets once.

    Without +tags, and without the dots that Gmail ignores. Takes a normalised address. Never a place to send to.
    """
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in {"gmail.com", "googlemail.com"}:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"
