"""Opaque signatures of thoughts, marked with their maker so that they go back to no other. Checks no signature.

A provider signs what its model thought and wants it back unchanged; another provider refuses it. Where the caller's
dialect is the provider's own, signatures travel as they are; where an answer was translated they are marked here.
The mark names nobody: it is a digest.
"""

from __future__ import annotations

import hashlib
from typing import Final

MARK: Final = "Q" * 24
"""What a marked signature begins with; its bytes in a request say that it has to be looked at more closely.

Requests are searched for it: being long, and of one rare letter, it lets the search pass over 25 bytes at a time.
Its length is a multiple of three, so that its base64 is a beginning as well.
"""
_TAG_LENGTH: Final = 8


def mark(signature: str, maker: str) -> str:
    """The signature to show to a caller; `maker` is the provider or upstream that can read it."""
    return f"{MARK}{_tag(maker)}.{signature}"


def is_marked(signature: str) -> bool:
    """Whether this came from `mark`."""
    return signature.startswith(MARK)


def unmark(signature: str, maker: str) -> str | None:
    """The original, if it is of this maker; None for another's and for one that was never marked."""
    prefix = f"{MARK}{_tag(maker)}."
    return signature[len(prefix) :] if signature.startswith(prefix) else None


def _tag(maker: str) -> str:
    return hashlib.sha256(f"signature of {maker}".encode()).hexdigest()[:_TAG_LENGTH]
