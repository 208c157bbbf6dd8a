"""Receivers of webhooks on loopback: one that answers what it is told, one that answers nothing as it should."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from reseller_kit.core.hook import EVERY_EVENT
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.hooks import EndpointTerms, NewEndpoint, create_endpoint
from reseller_kit.flows.hooks.courier import Courier
from reseller_kit.vault import Vault


class Got(Struct, frozen=True):
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


OK = b"HTTP/1.1 204 No Content\r\n\r\n"
Answer = bytes | Callable[[asyncio.StreamWriter], object]


class Receiver:
    """`answers`: raw bytes, one after the other, the last one for ever; or a function that writes them itself."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: list[Answer] = [OK]
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?from=shop"

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.got]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append(Got(line, headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                made = answer(writer)
                if asyncio.iscoroutine(made):
                    await made
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One that listens while the block runs."""
    made = Receiver()
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)  # its own
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def status(code: int, *headers: str, body: str = "") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {code} X", *headers, f"content-length: {len(body.encode())}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


async def listen(db: Database, vault: Vault, slug: str, url: str, *events: str) -> NewEndpoint:
    """An endpoint of a storefront for these events, or all."""
    terms = EndpointTerms(url=url, events=events or (EVERY_EVENT,))
    return await create_endpoint(db, vault, slug, terms, actor="cli:test")


async def deliver_due(db: Database, vault: Vault, *, ahead: int = 0) -> None:
    """Deliver what is due now, or will be in so many µs, to the end."""
    courier = Courier(db, vault)
    while await courier.round(now_us() + ahead):
        await courier.finish()


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what happens elsewhere."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        await asyncio.sleep(0.02)
