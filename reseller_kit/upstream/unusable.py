"""An upstream that can't be asked because of how it is set up: others serve its models. Opens no connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core.errors import UpstreamFailed
from ..core.storefront import UpstreamKey
from ..core.verdict import Verdict
from .base import Check, KeyCheck
from .credentials import KeyRing
from .endpoint import Endpoint
from .passage import DIRECT, Passage
from .response import Response

_LATER_SECONDS: Final = 60.0


class UnusableUpstream:
    """Takes no call, and says why to whoever checks it."""

    def __init__(self, endpoint: Endpoint, api_keys: Sequence[UpstreamKey], reason: str) -> None:
        self.endpoint = endpoint
        self.keys = KeyRing(())
        self._fingerprints = tuple(key.fingerprint for key in api_keys)
        self._reason = reason

    async def open(
        self,
        path: str,  # noqa: ARG002  # the Protocol's
        body: bytes,  # noqa: ARG002
        *,
        stream: bool,  # noqa: ARG002
        request_id: str,  # noqa: ARG002
        headers: Sequence[tuple[str, str]] = (),  # noqa: ARG002
        affinity: int | None = None,  # noqa: ARG002
        passage: Passage = DIRECT,  # noqa: ARG002
    ) -> Response:
        """Raises UpstreamFailed: nothing was sent."""
        verdict = Verdict(blame="cooldown", reason=self._reason, retry_after=_LATER_SECONDS)
        raise UpstreamFailed(self._reason, verdict=verdict)

    def usable(self) -> bool:
        """Never."""
        return False

    def soonest(self) -> float:
        """See `Upstream.soonest`: nobody knows; a minute."""
        return _LATER_SECONDS

    async def check(self, fingerprint: str | None = None) -> Check:
        """Why it can't be asked, for each key."""
        keys = [one for one in self._fingerprints if fingerprint in {None, one}]
        found = tuple(KeyCheck(fingerprint=key, status=None, latency_ms=0, fault=self._reason) for key in keys)
        return Check(upstream=self.endpoint.name, keys=found)

    def close(self) -> None:
        """There is nothing to close."""
