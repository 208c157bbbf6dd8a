"""What can go wrong between here and an upstream, in words routing can act on. Decides nothing about retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from ..core.errors import UpstreamFailed
from ..core.verdict import Blame, Verdict

FaultKind = Literal["connect", "timeout", "reset", "malformed", "too_large", "aborted"]
"""connect: no connection or TLS handshake; timeout: a deadline of the endpoint passed;
reset: the connection ended too early; malformed: not HTTP, or over a bound; too_large: the body is over the cap;
aborted: given up on this side."""

_BLAMED: Final[Mapping[str, Blame]] = {"aborted": "request"}
"""Faults that are not the endpoint's."""


class Busy(UpstreamFailed):
    """The upstream has no room and nothing was sent: another route may have. `retry_after` in seconds.

    `own`: it is the caller's storefront that has too much waiting, not everybody together.
    """

    def __init__(self, reason: str, *, retry_after: int, own: bool = False) -> None:
        super().__init__(reason, verdict=Verdict(blame="cooldown", reason=reason, retry_after=retry_after))
        self.retry_after = retry_after
        self.own = own


class TransportFailed(UpstreamFailed):
    """The exchange broke below HTTP's meaning: there is no whole answer to look at.

    `before_bytes`: not one byte of an answer had come. `reused`: the connection had served before.
    """

    def __init__(
        self,
        kind: FaultKind,
        reason: str,
        *,
        before_bytes: bool = False,
        reused: bool = False,
        upstream_status: int | None = None,
    ) -> None:
        verdict = Verdict(blame=_BLAMED.get(kind, "endpoint"), reason=f"{kind}: {reason}")
        super().__init__(reason, upstream_status=upstream_status, verdict=verdict)
        self.kind: FaultKind = kind
        self.before_bytes = before_bytes
        self.reused = reused

    @property
    def stale(self) -> bool:
        """The kept-alive connection was already closed by the upstream: the same request may go out once more.

        RFC 9112, section 9.3.1: a client may repeat a request on which a connection was closed before any answer.
        """
        return self.kind == "reset" and self.reused and self.before_bytes
