"""Streams that nobody reads: they hold their upstreams back, cost next to no memory, and are cut and settled."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.product import TEMPLATE, Customer, Shop, chat_request, eventually, open_shop
from tests.support.verdict import Books

MEBIBYTE = 1024 * 1024
TEXT = "word " * 1600
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    document = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


@dataclass
class Fountain:
    """An upstream whose streams either flood as long as they can, or say a word a second."""

    port: int = 0
    sent: int = 0
    """Bytes of floods that the product took."""
    running: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            body = await reader.readexactly(length)
            self.running += 1
            writer.write(_HEAD)
            if b"flood" in body:
                piece = event(TEXT)
                while True:
                    writer.write(piece)
                    await writer.drain()
                    self.sent += len(piece)
            while not self.over.is_set():
                writer.write(event("word "))
                await writer.drain()
                await asyncio.sleep(1)
            writer.write(b"data: [DONE]\n\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.running -= 1
            writer.close()


@contextmanager
def fountain() -> Iterator[Fountain]:
    """A running one."""
    made, loop = Fountain(), asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        server = await asyncio.start_server(made.answer, "127.0.0.1", 0, backlog=2048)
        made.port = server.sockets[0].getsockname()[1]
        return server

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, name="fountain")
    thread.start()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()


@contextmanager
def streaming(tmp_path: Path) -> Iterator[tuple[Shop, Customer, Fountain]]:
    """Storefronts whose model `raw` comes from a fountain."""
    with fountain() as upstream:
        template = tmp_path / "template.toml"
        template.write_text(TEMPLATE.read_text().replace("$rawfeed", f"http://127.0.0.1:{upstream.port}/v1"))
        with open_shop(tmp_path, template=template) as shop:
            yield shop, shop.customer(credit="500.00"), upstream


def resident(shop: Shop) -> int:
    """Bytes of memory that the server has for itself."""
    status = Path(f"/proc/{shop.server.child.process.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def open_streams(stack: ExitStack, shop: Shop, customer: Customer, text: str, count: int) -> list[socket.socket]:
    request = chat_request(customer, text, stream=True, model="raw", max_tokens=2000)
    found = []
    for _ in range(count):
        opened = stack.enter_context(socket.socket())
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(60)
        opened.connect(("127.0.0.1", shop.server.port))
        opened.sendall(request)
        found.append(opened)
    return found


def grown(shop: Shop, customer: Customer, upstream: Fountain, stack: ExitStack, *, read: int, unread: int) -> int:
    """Bytes of memory that so many streams cost, once those that nobody reads stand still."""
    before = resident(shop)
    readers = open_streams(stack, shop, customer, "steady", read)
    open_streams(stack, shop, customer, "flood", unread)
    for reader in readers:
        assert b"word" in reader.recv(65536) + reader.recv(65536)
    eventually(lambda: upstream.running == read + unread, "all streams", 120)

    def stands_still() -> bool:
        sent = upstream.sent
        time.sleep(1)
        return upstream.sent == sent

    eventually(stands_still, "the floods", 60)
    return resident(shop) - before


def warm(shop: Shop, customer: Customer, upstream: Fountain) -> None:
    """What the first calls load is not theirs."""
    with ExitStack() as stack:
        grown(shop, customer, upstream, stack, read=10, unread=5)
    eventually(lambda: upstream.running == 0, "the end of the first streams")


def test_streams_that_nobody_reads_cost_little_and_end_with_their_readers(tmp_path: Path) -> None:
    with streaming(tmp_path) as (shop, customer, upstream):
        warm(shop, customer, upstream)
        with ExitStack() as stack:
            assert grown(shop, customer, upstream, stack, read=80, unread=20) < 16 * MEBIBYTE
        # Both kinds were left: each upstream hears of it at once, and everything is settled.
        eventually(lambda: upstream.running == 0, "the end upstream")
        eventually(lambda: Books(shop).open_holds([customer]) == 0, "the settles")
        records = shop.ask("usage", "list", *customer.owner, "--limit", "500")["records"]
        assert len(records) == 115
        assert {record["status"] for record in records} == {"cut"}
        shop.assert_books_are_right()


@pytest.mark.slow
def test_a_thousand_streams_of_which_a_hundred_are_not_read(tmp_path: Path) -> None:
    with streaming(tmp_path) as (shop, customer, upstream), ExitStack() as stack:
        warm(shop, customer, upstream)
        cost = grown(shop, customer, upstream, stack, read=900, unread=100)
        print(f"1,000 streams cost {cost / MEBIBYTE:.1f} MiB")
        assert cost < 64 * MEBIBYTE
        # The stalled ones are cut after a minute; the others go on.
        began = time.monotonic()
        eventually(lambda: upstream.running == 900, "the cut", 120)
        assert time.monotonic() - began > 30
        upstream.over.set()
        eventually(lambda: Books(shop).open_holds([customer]) == 0, "the settles", 120)
        records = shop.ask("usage", "list", *customer.owner, "--limit", "1000")["records"]
        assert [record["status"] for record in records].count("cut") >= 100
        shop.assert_books_are_right()
