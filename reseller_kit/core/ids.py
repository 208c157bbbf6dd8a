"""Time-ordered public ids such as `req_01JD…`. Knows nothing of what they name.

26 characters of Crockford's base32 (as in the ULID specification): 48 bits of milliseconds, then 80 bits of which
the high ones are random per process and millisecond and the low ones count up, so ids of one process sort by
creation and cannot be guessed from one another.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple(a + b for a in ALPHABET for b in ALPHABET)
_LOW: Final = (1 << 40) - 1
_RANDOM_BYTES: Final = 4096
_PUBLIC_ID: Final = re.compile(r"[a-z]{2,6}_[0-7][0-9A-HJKMNP-TV-Z]{25}")


class IdSource:
    """Makes ids for one process; not for use from several threads at once without the interpreter's lock."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._high = 0
        self._low = 0
        self._second, self._of_second = -1, ""
        """The high bits of the millisecond, which change once a second, and their characters."""
        self._head = ""
        """The characters of the millisecond and of the high bits."""
        self._words: Iterator[int] = iter(())

    def next(self, now_ns: int | None = None) -> str:
        """The next 26 characters; rises even when the clock steps back."""
        now_ms = (time.time_ns() if now_ns is None else now_ns) // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            # The top bit stays free, so counting up within one millisecond cannot overflow.
            self._begin(self._word() >> 25, self._word() >> 24)
        else:
            low = self._low + 1 + (self._word() >> 40)
            if low > _LOW:
                self._begin(self._high + 1, low & _LOW)
            else:
                self._low = low
        low, pairs = self._low, _PAIRS
        return self._head + pairs[low >> 30] + pairs[low >> 20 & 1023] + pairs[low >> 10 & 1023] + pairs[low & 1023]

    def forget(self) -> None:
        """Draw anew: this process was copied, and its copy holds the same random words."""
        self._words = iter(())
        self._last_ms = 0

    def _begin(self, high: int, low: int) -> None:
        self._high, self._low = high, low
        second = self._last_ms >> 10
        if second != self._second:
            self._second, self._of_second = second, _encode(second, 8)
        pairs = _PAIRS
        self._head = (
            f"{self._of_second}{pairs[self._last_ms & 1023]}"
            f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        )

    def _word(self) -> int:
        """64 random bits. The system is asked for many at a time: asking takes longer than all else about an id."""
        word = next(self._words, None)
        if word is None:
            self._words = iter(memoryview(os.urandom(_RANDOM_BYTES)).cast("Q"))
            word = next(self._words)
        return word


def _encode(value: int, length: int) -> str:
    """The lowest 5 × `length` bits in base32, most significant first; `length` is even."""
    pairs = _PAIRS
    return "".join([pairs[(value >> shift) & 1023] for shift in range(5 * length - 10, -1, -10)])


_SOURCE: Final = IdSource()
os.register_at_fork(after_in_child=_SOURCE.forget)


def new_id(prefix: str) -> str:
    """A fresh id: `prefix`, an underscore, 26 characters.

    Prefixes in use: req (request), txn, lot, cus (customer), key, prc (price version), sch (scheduled price),
    own (lease owner), mail, clm (claim of a delivery), vch (voucher), vbt (batch of vouchers), rfd (refund),
    payout, alr (spending alert), ord (order), sub (subscription), ses (session), psk (passkey), case, ann
    (announcement), tok (token of the management API), whe, whd (webhook endpoint, delivery), evt (event),
    rep (report of abuse).
    """
    return f"{prefix}_{_SOURCE.next()}"


def lowest_id(prefix: str, at_us: int) -> str:
    """What sorts before every id of this prefix made from that moment (µs) on, and behind those made before."""
    return f"{prefix}_{_encode(max(at_us, 0) // 1000, 10)}"


def made_at(public_id: str) -> int:
    """The moment (µs) that an id was made at, to the millisecond."""
    value = 0
    for character in public_id[public_id.index("_") + 1 :][:10]:
        value = value << 5 | ALPHABET.index(character)
    return value * 1000


def is_public_id(text: str, prefix: str) -> bool:
    """Whether `text` has the form of an id with this prefix."""
    return text.startswith(prefix + "_") and _PUBLIC_ID.fullmatch(text) is not None
