"""What a faulty upstream was asked and what it did, attempt by attempt. Judges nothing."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

End = Literal["open", "whole", "close", "reset", "hang", "left"]
"""open: still under way; whole: sent to its end; left: the caller hung up first; others: as it was told to end."""


@dataclass
class Attempt:
    """One request that came in whole.

    `at` and `ended_at` are of the monotonic clock. `key`: the number of the key from 1, 0 for one that is unknown.
    `call`: the caller's name for the request. `reported`: the usage object that was sent, `classes` the same by price
    class; both empty unless it was sent whole. `sent_events` and `sent_deltas`: of a stream.
    """

    n: int
    upstream: str
    at: float
    key: int
    model: str
    api: str
    path: str
    stream: bool
    call: str
    connection: int
    behaviour: str
    headers: dict[str, str]
    request: dict[str, Any]
    status: int = 0
    end: End = "open"
    ended_at: float = 0.0
    reported: dict[str, Any] | None = None
    classes: dict[str, int | float] = field(default_factory=dict)
    sent_events: int = 0
    sent_deltas: int = 0
    good: bool = False
    """Whether it was a good answer, sent to its end."""


class Journal:
    """All attempts of one upstream, oldest first. Written by its thread, read by any."""

    def __init__(self) -> None:
        self._attempts: list[Attempt] = []
        self._lock = threading.Lock()

    def begin(self, attempt: Attempt) -> Attempt:
        """Take down a request; its number is given here."""
        with self._lock:
            attempt.n = len(self._attempts) + 1
            self._attempts.append(attempt)
        return attempt

    def clear(self) -> None:
        """Forget what was."""
        with self._lock:
            self._attempts.clear()

    def attempts(self) -> list[Attempt]:
        """A copy of the list; attempts that are open go on changing."""
        with self._lock:
            return list(self._attempts)

    def by_call(self) -> dict[str, list[Attempt]]:
        """Attempts by the call that they were made for."""
        found: defaultdict[str, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts():
            found[attempt.call].append(attempt)
        return dict(found)

    def lines(self) -> list[dict[str, Any]]:
        """Everything, for a file."""
        return [asdict(attempt) for attempt in self.attempts()]
