"""The form of voucher codes: fifteen random characters and a check, in groups of four. Stores nothing.

The alphabet leaves out what is mistaken for something else (0 1 I L O), and has a prime number of characters: the
weighted sum behind the check then finds every wrong character and every two that were swapped.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_RANDOM_LENGTH: Final = 15
_LENGTH: Final = _RANDOM_LENGTH + 1
_GROUP: Final = 4
_SEPARATORS: Final = str.maketrans("", "", " -\u2010\u2011\u2012\u2013")
_MAX_TYPED: Final = 64


def generate() -> str:
    """A new code such as `7KQM-X2RD-9WHT-4PZA`: about 74 bits of randomness."""
    body = [secrets.randbelow(len(_ALPHABET)) for _ in range(_RANDOM_LENGTH)]
    return _grouped([*body, _check(body)])


def canonical(typed: str) -> str | None:
    """The code as `generate` wrote it, however it was typed; None for what is no code."""
    text = typed[:_MAX_TYPED].translate(_SEPARATORS).upper()
    if len(typed) > _MAX_TYPED or len(text) != _LENGTH or not _VALUES.keys() >= set(text):
        return None
    *body, check = (_VALUES[character] for character in text)
    return _grouped([*body, check]) if check == _check(body) else None


def shown_part(code: str) -> str:
    """What may be shown of a code after its creation: the first group."""
    return code[:_GROUP]


def _check(body: Sequence[int]) -> int:
    weighted = sum(weight * value for weight, value in enumerate(body, 1))
    # The check has the weight after the last; its inverse makes the whole sum a multiple of the alphabet's length.
    return -weighted * pow(_LENGTH, -1, len(_ALPHABET)) % len(_ALPHABET)


def _grouped(values: Sequence[int]) -> str:
    text = "".join(_ALPHABET[value] for value in values)
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))
