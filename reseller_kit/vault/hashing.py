"""Keyed hashes of high-entropy secrets: API keys and one-time tokens. Passwords are argon2's, not these."""

from __future__ import annotations

import hashlib
import hmac


def key_digest(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA256 of an API key: what is stored of it and what it is found by."""
    return hmac.digest(pepper, key.encode("utf-8", "surrogateescape"), "sha256")


def token_digest(pepper: bytes, purpose: str, token: str) -> bytes:
    """HMAC-SHA256 of a one-time token, bound to its purpose."""
    return hmac.digest(pepper, f"{purpose}\0{token}".encode(), hashlib.sha256)
