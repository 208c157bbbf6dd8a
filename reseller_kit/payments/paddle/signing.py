"""Signatures of webhooks, as Paddle makes them.

Paddle's scheme: header `Paddle-Signature: ts=SECONDS;h1=HEX[;h1=HEX…]`, HMAC-SHA256 of `SECONDS:BODY` over the raw
bytes. Several `h1` come while a secret is being exchanged; one that fits is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from ...core.errors import InvalidRequest
from ...core.times import SECOND_US

TOLERANCE_SECONDS: Final = 30
"""How far a webhook's clock may be from ours. The SDK takes 5 s, which clocks that are set by hand do not keep.

A delivery that is repeated within it does no harm: an event is taken once, by its id.
"""
_HEADER: Final = "paddle-signature"
_MAX_HEADER: Final = 2_000
_MAX_SIGNATURES: Final = 10
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


def check_signature(secret: str, body: bytes, headers: Mapping[str, str], now: int) -> None:
    """Raises InvalidRequest unless the body was signed with the secret within `TOLERANCE_SECONDS` of `now` (µs)."""
    seconds, signatures = _parsed(headers.get(_HEADER, ""))
    if abs(now - int(seconds) * SECOND_US) > TOLERANCE_SECONDS * SECOND_US:
        raise InvalidRequest("The signature is too old, or from the future.", fix="Set the clock, then send it again.")
    expected = hmac.digest(secret.encode(), seconds.encode() + b":" + body, hashlib.sha256).hex().encode()
    # Every one is compared: which of them fits shows in no time.
    fits = [hmac.compare_digest(expected, one.encode("utf-8", "replace")) for one in signatures]
    if not any(fits):
        raise InvalidRequest("The signature does not fit.", fix="Compare the webhook's secret on both sides.")


def _parsed(header: str) -> tuple[str, list[str]]:
    pairs = [part.strip().partition("=") for part in header[: _MAX_HEADER + 1].split(";")]
    moments = [value for name, _, value in pairs if name == "ts"]
    signatures = [value for name, _, value in pairs if name == "h1"]
    usable = len(header) <= _MAX_HEADER and len(moments) == 1 and 0 < len(signatures) <= _MAX_SIGNATURES
    if not usable or not _SECONDS.fullmatch(moments[0]):
        raise InvalidRequest("The signature is missing or malformed.", fix="Send the header as it is made.")
    return moments[0], signatures
