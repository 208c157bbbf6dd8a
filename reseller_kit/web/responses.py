"""Sends plain ASGI responses. Builds no body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, Protocol

from ..core.ids import new_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

WRITER_KEY: Final = "reseller_kit.writer"
REQUEST_ID_KEY: Final = "reseller_kit.request_id"
"""Where a request's `Writer` is in its scope, if the server has one."""


class Writer(Protocol):
    """What the server takes without a wait: whole answers, and pieces of a body between the first and the last one."""

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Send a whole answer, whose length is not among its headers; False where `send` has to, which may wait."""

    def ready(self) -> bool:
        """Whether the client takes one now; if not, `send` waits until it does or is gone."""

    def write(self, body: bytes) -> None:
        """A piece, while it is `ready`."""

    def when_gone(self, call: Callable[[], None] | None) -> None:
        """Call this when the client leaves before it has its answer, at once if it has; None: nobody asks any more."""


JSON: Header = (b"content-type", b"application/json")
TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
NO_STORE: Header = (b"cache-control", b"no-store")


async def respond(
    send: Send,
    status: int,
    headers: Sequence[Header],
    body: bytes,
    *,
    head: bool = False,
    writer: Writer | None = None,
) -> None:
    """One whole response; with `head` the headers alone. `writer`: for what may go at once instead of by `send`."""
    if writer is not None and not head and writer.answer(status, headers, body):
        return
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def plain(send: Send, status: int, text: str, *extra: Header, head: bool = False) -> None:
    """One line of text that bears no brand, with a request id."""
    headers = (TEXT, NO_STORE, (b"x-request-id", new_id("req").encode()), *extra)
    await respond(send, status, headers, text.encode() + b"\n", head=head)
