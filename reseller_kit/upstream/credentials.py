"""Several credentials for one upstream, the least busy first. Stores none of them and shows none in `repr`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .response import Response

Headers = tuple[tuple[str, str], ...]

MAX_HEADS: Final = 256
"""Kept request heads of one credential; callers' headers are part of them, so their number has to have an end."""


class Credential:
    """One API key as the request heads it makes, and the calls that run on it."""

    __slots__ = ("_heads", "_make_head", "in_flight")

    def __init__(self, make_head: Callable[[str, str, Headers], bytes]) -> None:
        self._make_head = make_head
        self._heads: dict[tuple[str, str, Headers], bytes] = {}
        self.in_flight = 0

    def head(self, path: str, accept: str, headers: Headers = ()) -> bytes:
        """The request head for a path, the media type asked for and the caller's headers; made once and kept."""
        key = (path, accept, headers)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            head = self._heads[key] = self._make_head(path, accept, headers)
        return head

    def run_until_end(self, response: Response) -> None:
        """Count the call as running until its answer has ended."""
        response.when_ended(self.release)

    def release(self) -> None:
        """A call on this credential is over."""
        self.in_flight -= 1


class KeyRing:
    """Takes turns among the least busy credentials."""

    def __init__(self, credentials: Sequence[Credential]) -> None:
        self._credentials = list(credentials)
        self._next = 0

    def take(self) -> Credential:
        """The credential with the fewest calls in flight, counted as one more; ties go round."""
        credentials = self._credentials
        if len(credentials) == 1:
            chosen = credentials[0]
        else:
            start = self._next % len(credentials)
            self._next = start + 1
            chosen = min(credentials[start:] + credentials[:start], key=_in_flight)
        chosen.in_flight += 1
        return chosen


def _in_flight(credential: Credential) -> int:
    return credential.in_flight
