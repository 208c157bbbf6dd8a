"""Where a conversation's prompt cache lies: it is asked there again. Reads no request and no clock."""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from typing import Final

from .choice import EndpointName

MAX_CONVERSATIONS: Final = 100_000
KEPT_SECONDS: Final = 3_600.0
"""Providers keep a prompt cache for five minutes to an hour behind its last use."""
_MASK: Final = 2**64 - 1
_SPAN: Final = 2.0**-64


class Affinity:
    """The endpoint that last answered each conversation: the latest ones of a process, for an hour each."""

    __slots__ = ("_known", "_most", "_seconds")

    def __init__(self, most: int = MAX_CONVERSATIONS, seconds: float = KEPT_SECONDS) -> None:
        self._known: OrderedDict[int, tuple[EndpointName, float]] = OrderedDict()
        self._most, self._seconds = most, seconds

    def __len__(self) -> int:
        return len(self._known)

    def of(self, conversation: int, now: float) -> EndpointName | None:
        """The endpoint that answered last; None for a conversation that is new or was forgotten."""
        found = self._known.get(conversation)
        if found is None:
            return None
        endpoint, noted_at = found
        if now - noted_at > self._seconds:
            del self._known[conversation]
            return None
        return endpoint

    def note(self, conversation: int, endpoint: EndpointName, now: float) -> EndpointName | None:
        """The endpoint answered the conversation at `now` (s). The one that answered before, as `of` tells."""
        known = self._known
        found = known.pop(conversation, None)
        known[conversation] = endpoint, now
        if found is None:
            if len(known) > self._most:
                known.popitem(last=False)
            return None
        return found[0] if now - found[1] <= self._seconds else None


def point_of(conversation: int, endpoint: EndpointName) -> float:
    """A number in [0, 1) that hangs on the two alone: for rendezvous hashing, the same in every process."""
    # Every bit of the result hangs on every bit of the number (the finaliser of SplitMix64).
    number = conversation ^ _digest(endpoint)
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _MASK
    return (number ^ (number >> 31)) * _SPAN


@functools.lru_cache(maxsize=4096)
def _digest(endpoint: EndpointName) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(endpoint).encode(), digest_size=8).digest())
