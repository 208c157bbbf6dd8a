"""The yardstick: a raw ASGI proxy over the product's upstream client. Checks no key, meters nothing, charges nothing.

`python -m scripts._bench.passthrough PORT UPSTREAM_PORT` serves until it is told to end.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from reseller_kit.core.storefront import UpstreamKey
from reseller_kit.upstream.endpoint import endpoint
from reseller_kit.upstream.openai import OpenAIUpstream
from reseller_kit.upstream.response import Response

_MAX_BODY_BYTES = 64 * 1024 * 1024
_STREAMED = re.compile(rb'"stream"\s*:\s*true')

_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


class PassThrough:
    """The ASGI application."""

    def __init__(self, upstream: OpenAIUpstream) -> None:
        self._upstream = upstream

    async def __call__(self, _scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
        body = await _read(receive)
        streamed = _STREAMED.search(body) is not None
        response = await self._upstream.open("/chat/completions", body, stream=streamed, request_id="req_bench")
        try:
            await (_relay(response, send) if streamed else _answer(response, send))
        finally:
            response.abort()


async def _read(receive: _Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return bytes(message["body"])
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        parts.append(message["body"])
    return b"".join(parts)


async def _answer(response: Response, send: _Send) -> None:
    body = await response.read(_MAX_BODY_BYTES)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _relay(response: Response, send: _Send) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    while piece := await response.chunk():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def main(port: int, upstream_port: int) -> None:
    """Serve with the settings that the product's server has where they cost time."""
    upstream = OpenAIUpstream(
        endpoint("bench", f"http://127.0.0.1:{upstream_port}/v1"), [UpstreamKey("sk-bench", "bench")]
    )
    uvicorn.run(
        PassThrough(upstream),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
