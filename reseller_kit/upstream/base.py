"""What every upstream dialect offers to the flows. Holds no wire format and no credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from .credentials import KeyRing
from .endpoint import Endpoint
from .passage import DIRECT, Passage
from .response import Response


class KeyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How one key's check went: `fault` is empty when the upstream took the key."""

    fingerprint: str
    status: int | None
    latency_ms: int
    fault: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a check of an upstream's keys, for operators; without any key there is nothing good to tell."""

    upstream: str
    keys: tuple[KeyCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every key was taken."""
        return bool(self.keys) and not any(key.fault for key in self.keys)


@runtime_checkable
class Upstream(Protocol):
    """A provider endpoint with its credentials, spoken to in its own dialect."""

    @property
    def endpoint(self) -> Endpoint:
        """Address, deadlines and bounds."""

    @property
    def keys(self) -> KeyRing:
        """The credentials, for those who keep their states."""

    async def open(
        self,
        path: str,
        body: bytes,
        *,
        stream: bool,
        request_id: str,
        headers: Sequence[tuple[str, str]] = (),
        affinity: int | None = None,
        passage: Passage = DIRECT,
    ) -> Response:
        """Post a body of this dialect to a path below the base URL; returns when the answer's head has come.

        `path` is one of the dialect's own paths, never the caller's. `headers`: what the caller's codec lets through,
        in place of the upstream's own of those names. `affinity`: the digest of a conversation, which keeps to one
        key. Any HTTP status is an answer: one of 300 and more is read already and has its `refusal`, whose verdict
        says whose fault it was. Raises TransportFailed (an UpstreamFailed, like the others) when none came, NoKeyFree
        when no key may be used and Busy when there was no room, so that nothing was sent. Read the answer to its end
        or `abort()` it.
        """

    def usable(self) -> bool:
        """Whether a call could have a key now: one that is not parked, cooling or at its ceiling."""

    def soonest(self) -> float:
        """Seconds until one may be free; 0 when one is."""

    async def check(self, fingerprint: str | None = None) -> Check:
        """Ask for something free of charge with every key, or one. Never raises for a fault of the upstream."""

    def close(self) -> None:
        """Take no new request; running ones end by themselves."""
