"""The form of customers' API keys: `<prefix>_` + 30 base62 characters + a 6-character CRC32 check. Stores nothing.

The check lets a mistyped or random string be refused without asking the database; it is no secret.
"""

from __future__ import annotations

import re
import secrets
import zlib
from typing import Final

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH: Final = 30
_CHECK_LENGTH: Final = 6
_PREFIX: Final = re.compile(r"[a-z][a-z0-9-]{0,15}", re.ASCII)
_KEY: Final = re.compile(r"([a-z][a-z0-9-]{0,15}_[0-9A-Za-z]{30})([0-9A-Za-z]{6})", re.ASCII)
_SHOWN: Final = 6
PLAYGROUND: Final = "playground"
"""The key id of calls that a customer makes in its portal: by its session, under no key."""
MAX_LENGTH: Final = 16 + 1 + _RANDOM_LENGTH + _CHECK_LENGTH


def is_prefix(text: str) -> bool:
    """Whether a brand may use `text` as its `key_prefix`."""
    return _PREFIX.fullmatch(text) is not None


def generate(prefix: str) -> str:
    """A new key: about 178 bits of randomness behind the brand's prefix."""
    body = prefix + "_" + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    return body + _check(body)


def is_well_formed(key: str) -> bool:
    """Whether `key` has the form and its check is right."""
    match = _KEY.fullmatch(key)
    return match is not None and _check(match[1]) == match[2]


def shown_part(key: str) -> str:
    """What may be shown of a key after its creation: prefix and the first six characters."""
    return key[: key.index("_") + 1 + _SHOWN]


def _check(body: str) -> str:
    value = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(_CHECK_LENGTH):
        value, digit = divmod(value, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
