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
