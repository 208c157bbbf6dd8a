"""What upstreams with API keys have in common: connections, keys, what refusals say, the check. Knows no dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ..core.errors import InvalidRequest
from ..core.storefront import UpstreamKey
from ..wire.verdict import MAX_BODY_BYTES, verdict
from .base import Check, KeyCheck
from .credentials import Ceilings, Credential, Headers, KeyRing, Ticket
from .endpoint import Endpoint, request_head
from .faults import TransportFailed
from .passage import DIRECT, Passage
from .pool import Pool
from .response import Refusal, Response

_CHECK_LIMIT_BYTES = 4 * 1024 * 1024
_REFUSAL_SECONDS = 5.0
"""How long the text of a refusal may take: its status alone says nearly as much."""

Judge = Callable[[bytes], str]
"""What is wrong with a key by the body of its check's good answer; empty for nothing."""


class KeyedUpstream:
    """A provider endpoint with a pool of API keys; JSON in, JSON or server-sent events out.

    A dialect adds how a key is shown and which path checks one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api_keys: Sequence[UpstreamKey],
        ceilings: Ceilings | None = None,
        *,
        key_headers: Callable[[str], Headers],
        check_path: str,
        judge: Judge = lambda _body: "",
        merge: Callable[[Headers], Headers] = tuple,
    ) -> None:
        """`key_headers`: those that go with a key; `merge`: what a call's own headers come to at this endpoint.

        Raises InvalidRequest when there is no key or one could not be sent in a header.
        """
        if not api_keys:
            raise InvalidRequest("An upstream needs at least one API key.", param="api_keys")

        def credential(key: UpstreamKey) -> Credential:
            headers = (*key_headers(key.secret), ("content-type", "application/json"))

            def make_head(path: str, accept: str, extra: Headers) -> bytes:
                return request_head(endpoint, "POST", path, (*headers, ("accept", accept), *merge(extra)))

            return Credential(make_head, fingerprint=key.fingerprint, secret=key.secret)

        self._endpoint = endpoint
        self._pool = Pool(endpoint)
        self._judge = judge
        self._check_heads = {
            key.fingerprint: request_head(endpoint, "GET", check_path, key_headers(key.secret)) for key in api_keys
        }
        self._keys = KeyRing([credential(key) for key in api_keys], ceilings)

    @property
    def endpoint(self) -> Endpoint:
        """Address, deadlines and bounds."""
        return self._endpoint

    @property
    def pool(self) -> Pool:
        """The connections, for metrics."""
        return self._pool

    @property
    def keys(self) -> KeyRing:
        """The keys, for those who keep their states."""
        return self._keys

    def usable(self) -> bool:
        """See `Upstream.usable`."""
        return self._keys.usable()

    def soonest(self) -> float:
        """See `Upstream.soonest`."""
        return self._keys.soonest()

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
        """See `Upstream.open`. The id travels as `x-client-request-id`."""
        accept = "text/event-stream" if stream else "application/json"
        ticket = self._keys.take(affinity)
        try:
            own = ticket.credential.head(path, accept, tuple(headers))
            head = b"%bx-client-request-id: %b\r\n" % (own, _header_safe(request_id))
            response = await self._pool.send(head, body, passage)
        except BaseException:
            ticket.release()
            raise
        response.ticket = ticket
        response.when_ended(ticket.release)
        if response.status < 300:
            ticket.well()
        else:
            if passage.exchange is not None:
                passage.exchange.in_flight = False
            response.refusal = await _refusal(response, ticket)
        return response

    async def check(self, fingerprint: str | None = None) -> Check:
        """Ask for what costs nothing with every key in turn, or with one."""
        found = []
        for key, head in self._check_heads.items():
            if fingerprint in {None, key}:
                started = time.monotonic()
                status, fault = await self._probe(head)
                latency = round((time.monotonic() - started) * 1000)
                found.append(KeyCheck(fingerprint=key, status=status, latency_ms=latency, fault=fault))
        return Check(upstream=self._endpoint.name, keys=tuple(found))

    def close(self) -> None:
        """Take no new request; running ones end by themselves."""
        self._pool.close()

    async def _probe(self, head: bytes) -> tuple[int | None, str]:
        try:
            response = await self._pool.send(head)
            try:
                body = await response.read(_CHECK_LIMIT_BYTES)
            finally:
                response.abort()
        except TransportFailed as failure:
            return failure.upstream_status, f"{failure.kind}: {failure.reason}"
        good = 200 <= response.status < 300
        return response.status, self._judge(body) if good else f"answered {response.status}"


async def _refusal(response: Response, ticket: Ticket) -> Refusal:
    """Read what the refusal says, as far as it comes in time, and let the key's ticket learn from it."""
    body = b""
    try:
        async with asyncio.timeout(_REFUSAL_SECONDS):
            body = await response.read(MAX_BODY_BYTES)
    except (TransportFailed, TimeoutError):
        pass
    finally:
        response.abort()
    found = verdict(response.status, response.headers, body, time.time())
    ticket.learn(found)
    return Refusal(ticket.credential.without_secret_bytes(body), found)


def _header_safe(request_id: str) -> bytes:
    if not (request_id.isascii() and request_id.isprintable()):
        raise InvalidRequest("A request id is printable ASCII.", param="request_id")
    return request_id.encode("ascii")
