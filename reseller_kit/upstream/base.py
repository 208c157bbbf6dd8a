"""What every upstream dialect offers to the flows. Holds no wire format and no credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from .endpoint import Endpoint
from .passage import DIRECT, Passage
from .response import Response


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a probe for operators: `fault` is empty when the upstream answered 2xx with valid credentials."""

    upstream: str
    ok: bool
    status: int | None
    latency_ms: int
    fault: str


class Upstream(Protocol):
    """A provider endpoint with its credentials, spoken to in its own dialect."""

    @property
    def endpoint(self) -> Endpoint:
        """Address, deadlines and bounds."""

    async def open(
        self,
        path: str,
        body: bytes,
        *,
        stream: bool,
        request_id: str,
        headers: Sequence[tuple[str, str]] = (),
        passage: Passage = DIRECT,
    ) -> Response:
        """Post a body of this dialect to a path below the base URL; returns when the answer's head has come.

        `path` is one of the dialect's own paths, never the caller's. `headers`: what the caller's codec lets through,
        in place of the upstream's own of those names. Any HTTP status is an answer; raises
        TransportFailed when none came, and Busy when there was no room (both are UpstreamFailed). Read the answer to
        its end or `abort()` it.
        """

    async def check(self) -> Check:
        """Ask for something free of charge. Never raises for a fault of the upstream."""

    def close(self) -> None:
        """Take no new request; running ones end by themselves."""
