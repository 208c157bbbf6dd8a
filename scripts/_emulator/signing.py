"""Signatures of reasoning: each emulator knows its own and refuses those of another."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

_MARK: Final = b"emulated"
_SIZE: Final = 16
_FROM_URL: Final = str.maketrans("-_", "+/")


def sign(secret: str, text: str) -> str:
    """A signature of `text` in base64 that only an emulator of the same name takes back."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_SIZE]
    return base64.b64encode(_MARK + digest + _seal(secret, digest)).decode()


def made_here(secret: str, token: object) -> bool:
    """Whether `token` is a signature of this emulator, whatever it signs. Base64 for URLs is as good."""
    if not isinstance(token, str):
        return False
    try:
        raw = base64.b64decode(token.translate(_FROM_URL), validate=True)
    except ValueError:
        return False
    digest = raw[len(_MARK) : len(_MARK) + _SIZE]
    return raw == _MARK + digest + _seal(secret, digest)


def covers(secret: str, token: object, text: str) -> bool:
    """Whether `token` is this emulator's signature of exactly this text."""
    return token == sign(secret, text)


def _seal(secret: str, digest: bytes) -> bytes:
    return hmac.digest(secret.encode(), digest, "sha256")[:_SIZE]
