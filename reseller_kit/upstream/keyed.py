"""What upstreams with API keys have in common: connections, turns among keys, the check. Knows no dialect."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..core.errors import InvalidRequest
from .base import Check
from .credentials import Credential, Headers, KeyRing
from .endpoint import Endpoint, request_head
from .faults import TransportFailed
from .passage import DIRECT, Passage
from .pool import Pool
from .response import Response

_CHECK_LIMIT_BYTES = 4 * 1024 * 1024


class KeyedUpstream:
    """A provider endpoint with a pool of API keys; JSON in, JSON or server-sent events out.

    A dialect adds how a key is shown and which path lists its models.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api_keys: Sequence[str],
        *,
        key_headers: Callable[[str], Headers],
        models_path: str,
        merge: Callable[[Headers], Headers] = tuple,
    ) -> None:
        """`key_headers`: those that go with a key; `merge`: what a call's own headers come to at this endpoint.

        Raises InvalidRequest when there is no key or one could not be sent in a header.
        """
        if not api_keys:
            raise InvalidRequest("An upstream needs at least one API key.", param="api_keys")

        def credential(api_key: str) -> Credential:
            headers = (*key_headers(api_key), ("content-type", "application/json"))

            def make_head(path: str, accept: str, extra: Headers) -> bytes:
                return request_head(endpoint, "POST", path, (*headers, ("accept", accept), *merge(extra)))

            return Credential(make_head)

        self._endpoint = endpoint
        self._pool = Pool(endpoint)
        self._check_heads = [request_head(endpoint, "GET", models_path, key_headers(key)) for key in api_keys]
        self._keys = KeyRing([credential(key) for key in api_keys])

    @property
    def endpoint(self) -> Endpoint:
        """Address, deadlines and bounds."""
        return self._endpoint

    @property
    def pool(self) -> Pool:
        """The connections, for metrics."""
        return self._pool

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
        """See `Upstream.open`. The id travels as `x-client-request-id`."""
        accept = "text/event-stream" if stream else "application/json"
        key = self._keys.take()
        try:
            own = key.head(path, accept, tuple(headers))
            head = b"%bx-client-request-id: %b\r\n" % (own, _header_safe(request_id))
            response = await self._pool.send(head, body, passage)
        except BaseException:
            key.release()
            raise
        key.run_until_end(response)
        return response

    async def check(self) -> Check:
        """List the models with every key in turn; the first fault is reported."""
        started = time.monotonic()
        status, fault = None, ""
        for position, head in enumerate(self._check_heads, 1):
            status, fault = await self._probe(head)
            if fault:
                fault = f"key {position}: {fault}" if len(self._check_heads) > 1 else fault
                break
        latency = round((time.monotonic() - started) * 1000)
        return Check(upstream=self._endpoint.name, ok=not fault, status=status, latency_ms=latency, fault=fault)

    def close(self) -> None:
        """Take no new request; running ones end by themselves."""
        self._pool.close()

    async def _probe(self, head: bytes) -> tuple[int | None, str]:
        try:
            response = await self._pool.send(head)
            try:
                await response.read(_CHECK_LIMIT_BYTES)
            finally:
                response.abort()
        except TransportFailed as failure:
            return failure.upstream_status, f"{failure.kind}: {failure.reason}"
        return response.status, "" if 200 <= response.status < 300 else f"answered {response.status}"


def _header_safe(request_id: str) -> bytes:
    if not (request_id.isascii() and request_id.isprintable()):
        raise InvalidRequest("A request id is printable ASCII.", param="request_id")
    return request_id.encode("ascii")
