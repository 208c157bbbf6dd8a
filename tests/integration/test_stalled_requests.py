"""Requests that stop to arrive in the middle: the connection is closed, and only that one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from reseller_kit.web import connection as connection_module
from reseller_kit.web.connection import Connection, close_stalled
from scripts._lib.ports import free_port

pytestmark = pytest.mark.thorough


HEAD = b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
LEFT: list[float] = []
"""When the client of an endless answer was gone."""
CLOSING = HEAD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the body, waits as long as the path says, answers."""
    messages = 1
    while (message := await receive()).get("more_body"):
        messages += 1
    if message["type"] == "http.disconnect":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.6)
    if scope["path"] == "/endless":
        await never_stop(receive, send)
        return
    body = b"ok" if scope["path"] != "/counted" else b"%02d" % messages
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": body})


async def never_stop(receive: Any, send: Any) -> None:
    """Sends until the client is gone."""
    leaving = asyncio.ensure_future(receive())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * 16384, "more_body": True})
        await asyncio.sleep(0)
    LEFT.append(time.monotonic())


class Server(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        close_stalled(self.server_state.connections)
        return await super().on_tick(counter)


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    port = free_port()
    config = uvicorn.Config(echo, port=port, http=Connection, ws="none", lifespan="off", log_config=None)
    server = Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def received(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes until the server closes, or for two seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            if reader.at_eof():
                break
            writer.write(piece)
            await asyncio.sleep(pause)
        async with asyncio.timeout(2):
            return await reader.read()
    except TimeoutError:
        return b"still open"
    except ConnectionError:
        return b""  # closed while something was still being sent
    finally:
        writer.close()


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STALL_SECONDS", 0.3)


@pytest.mark.parametrize(
    "pieces",
    [(b"",), (b"POST /slow HT",), (HEAD[:-2],), (HEAD,), (HEAD, b"12345")],
    ids=["silence", "line", "head", "no body", "half a body"],
)
async def test_a_request_that_stalls_is_ended(pieces: tuple[bytes, ...]) -> None:
    async with serving() as port:
        assert await received(port, *pieces) == b""


async def test_a_head_that_drips_is_ended() -> None:
    async with serving() as port:
        drip = [b"GET /quick HTTP/1.1\r\n", *(b"x-%d: y\r\n" % n for n in range(20))]
        assert await received(port, *drip, pause=0.1) == b""


async def test_a_body_that_drips_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "WHOLE_SECONDS", 0.5)
    async with serving() as port:
        long = CLOSING.replace(b"length: 10", b"length: 100")
        assert await received(port, long, *(b"x" for _ in range(20)), pause=0.1) == b""


async def test_a_request_that_is_slow_but_arrives_is_served() -> None:
    async with serving() as port:
        pieces = [CLOSING, *(b"%d" % n for n in range(10))]
        assert (await received(port, *pieces, pause=0.1)).endswith(b"ok")


async def test_an_answer_that_takes_long_is_waited_for() -> None:
    async with serving() as port:
        assert (await received(port, CLOSING + b"0123456789")).endswith(b"ok")


async def test_a_second_request_may_wait_behind_the_first() -> None:
    async with serving() as port:
        # The second one's body comes only after the first one's slow answer.
        answers = await received(port, HEAD + b"0123456789" + CLOSING, b"", b"0123456789", pause=0.25)
        assert answers.count(b"ok") == 2


@pytest.mark.parametrize("after", ["nothing", "a part"])
async def test_a_client_that_reads_nothing_of_its_answer_is_cut(monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    monkeypatch.setattr(connection_module, "READER_SECONDS", 0.5)
    async with serving() as port:
        began_at = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
            if after == "a part":
                # Whoever takes a little now and then is slow, not gone.
                for _ in range(8):
                    await asyncio.sleep(0.2)
                    await asyncio.to_thread(client.recv, 1 << 20)
                assert not LEFT
            async with asyncio.timeout(10):
                while not LEFT:
                    await asyncio.sleep(0.05)
        assert LEFT.pop() - began_at > (1.5 if after == "a part" else 0.5)


async def test_a_body_in_pieces_is_waited_for_once_not_by_the_piece() -> None:
    async with serving() as port:
        head = CLOSING.replace(b"/slow", b"/counted").replace(b"length: 10", b"length: 50")
        quickly = await received(port, head, *(b"x" for _ in range(50)), pause=0.002)
        assert 1 <= int(quickly[-2:]) <= 10
        # One that comes slowly is handed on meanwhile, so that whoever waits for it can lose patience.
        slowly = await received(port, head, *(b"x" * 10 for _ in range(5)), pause=0.25)
        assert int(slowly[-2:]) >= 3
