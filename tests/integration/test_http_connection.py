"""Requests as bytes on a socket, good and bad: answered as uvicorn's own protocol does, or better."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reseller_kit.web import connection as connection_module
from reseller_kit.web.connection import Connection, close_stalled
from reseller_kit.web.responses import WRITER_KEY
from scripts._lib.ports import free_port

GET = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSE = b"GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\n"

ALIKE = {
    "get": GET % b"a",
    "query and escapes": GET % b"a%20b/%C3%BC?q=%20&r",
    "a body": POST + b"content-length: 5\r\n\r\nhello" + CLOSE,
    "an empty body": POST + b"content-length: 0\r\n\r\n" + CLOSE,
    "a chunked body": POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n" + CLOSE,
    "chunks with trailers": POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n" + CLOSE,
    "three at once": GET % b"a" + POST + b"content-length: 2\r\n\r\nhi" + GET % b"b" + CLOSE,
    "after one that closes": CLOSE + GET % b"never",
    "head": b"HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n" + CLOSE,
    "head of chunks": b"HEAD /chunks HTTP/1.1\r\nhost: x\r\n\r\n" + CLOSE,
    "an answer in chunks": GET % b"chunks" + CLOSE,
    "an answer without a body": GET % b"nothing" + CLOSE,
    "not modified": GET % b"same" + CLOSE,
    "an answer that closes": GET % b"closing" + GET % b"never",
    "an application that fails": GET % b"fails",
    "one that fails in the middle": GET % b"fails-late",
    "one that says nothing": GET % b"silent",
    "one that stops in the middle": GET % b"stops",
    "options": b"OPTIONS /a HTTP/1.1\r\nhost: x\r\n\r\n" + CLOSE,
    "an odd method": b"PURGE /a HTTP/1.1\r\nhost: x\r\n\r\n" + CLOSE,
    "absolute form": b"GET http://x/a HTTP/1.1\r\nhost: x\r\n\r\n" + CLOSE,
    "an upgrade": b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "http2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no http": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "an unknown method": b"FROBNICATE /a HTTP/1.1\r\nhost: x\r\n\r\n",
    "a bad version": b"GET /a HTTP/9.9\r\nhost: x\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nhost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    "bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    "two lengths": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "the same length twice": POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a length and chunks": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks that are not last": POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a negative length": POST + b"content-length: -1\r\n\r\n",
    "a length of letters": POST + b"content-length: 5x\r\n\r\nhello",
    "a length beyond all": POST + b"content-length: 99999999999999999999999\r\n\r\n",
    "a chunk's size of letters": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "a chunk beyond all": POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a space before the colon": b"GET /a HTTP/1.1\r\nhost : x\r\n\r\n",
    "a folded header": b"GET /a HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\n\r\n",
    "a nul in a value": b"GET /a HTTP/1.1\r\nhost: x\r\nx-a: 1\x002\r\n\r\n",
    "a nul in a name": b"GET /a HTTP/1.1\r\nhost: x\r\nx\x00a: 1\r\n\r\n",
    "a line feed alone": b"GET /a HTTP/1.1\nhost: x\n\n",
    "a return alone": b"GET /a HTTP/1.1\rhost: x\r\r",
    "garbage behind an answer": GET % b"a" + b"\x00\x01\x02",
}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers as the path says."""
    path, body = scope["path"], b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    if path == "/fails":
        raise ValueError("on purpose")
    if path == "/silent":
        return
    status = {"/nothing": 204, "/same": 304}.get(path, 200)
    text = (
        b"" if status != 200 else f"{scope['method']} {scope['raw_path']!r} {scope['query_string']!r} ".encode() + body
    )
    headers = (
        []
        if path in {"/chunks", "/fails-late", "/stops"} or status != 200
        else [(b"Content-Length", b"%d" % len(text))]
    )
    headers += [(b"connection", b"close")] if path == "/closing" else []
    await send({"type": "http.response.start", "status": status, "headers": [(b"X-Odd", b"\xff\t1"), *headers]})
    if path in {"/chunks", "/fails-late", "/stops"}:
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if path == "/fails-late":
            raise ValueError("on purpose")
        if path == "/stops":
            return
    await send({"type": "http.response.body", "body": text})


class Server(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        close_stalled(self.server_state.connections)
        return await super().on_tick(counter)


@asynccontextmanager
async def serving(protocol: Any, app: Any = application) -> AsyncIterator[int]:
    async with running(protocol, app) as server:
        yield server.config.port


@asynccontextmanager
async def running(protocol: Any, app: Any = application) -> AsyncIterator[Server]:
    config = uvicorn.Config(app, port=free_port(), http=protocol, ws="none", lifespan="off", log_config=None)
    server = Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        await task


async def exchange(port: int, sent: bytes, *, piecewise: bool = False, patience: float = 1.0) -> tuple[bytes, bool]:
    """What comes back within a moment without a byte, and whether the server hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in [sent[at : at + 1] for at in range(len(sent))] if piecewise else [sent]:
            writer.write(piece)
            await asyncio.sleep(0)
        received = b""
        try:
            async with asyncio.timeout(None) as patiently:
                while True:
                    patiently.reschedule(asyncio.get_running_loop().time() + patience)
                    data = await reader.read(65536)
                    if not data:
                        return received, True
                    received += data
        except TimeoutError:
            return received, False
        except ConnectionResetError:
            return received, True
    finally:
        writer.close()


def undated(answer: bytes) -> bytes:
    """Without what differs from second to second, and from server to server."""
    return re.sub(rb"(?m)^(date|server|x-request-id): .*\r\n", b"", answer)


@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "piecewise"])
@pytest.mark.filterwarnings("ignore")
async def test_every_request_is_answered_as_uvicorn_answers_it(*, piecewise: bool) -> None:
    async def all_of(protocol: Any) -> dict[str, tuple[bytes, bool]]:
        async with serving(protocol) as port:
            found = await asyncio.gather(*[exchange(port, sent, piecewise=piecewise) for sent in ALIKE.values()])
        return {name: (undated(answer), over) for name, (answer, over) in zip(ALIKE, found, strict=True)}

    ours, uvicorns = await all_of(Connection), await all_of(HttpToolsProtocol)
    assert {name: ours[name] for name in ALIKE if ours[name] != uvicorns[name]} == {}


@pytest.mark.parametrize("length", [None, 19, 200_019])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_pieces_without_a_wait_are_sent_as_others_are(method: bytes, version: bytes, length: int | None) -> None:
    size = (length or 19) - 13
    readiness: list[bool] = []

    async def writing(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        writer, plain = scope[WRITER_KEY], scope["path"] == "/sent"
        headers = [] if length is None else [(b"content-length", b"%d" % length)]
        readiness.append(writer.ready())
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        readiness.append(writer.ready())
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        readiness.append(writer.ready())
        for piece in (b"x" * size, b"", b"two"):
            if plain:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                writer.write(piece)
        await send({"type": "http.response.body", "body": b"last"})
        readiness.append(writer.ready())

    async with serving(Connection, writing) as port:
        request = b"%b /%b HTTP/%b\r\nhost: x\r\nconnection: close\r\n\r\n"
        sent, _ = await exchange(port, request % (method, b"sent", version))
        written, _ = await exchange(port, request % (method, b"written", version))
    assert undated(written) == undated(sent)
    assert (b"last" in written) is (method == b"GET")
    assert readiness == [False, False, True, False] * 2


@pytest.mark.parametrize("body", [b"", b"whole", b"x" * 100_000], ids=["empty", "small", "large"])
@pytest.mark.parametrize("status", [200, 204, 299])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_answer_at_once_is_the_one_that_is_sent(
    method: bytes, version: bytes, status: int, body: bytes
) -> None:
    taken: list[bool] = []
    headers = [(b"X-Odd", b"\xff\t1"), (b"connection", b"keep-alive, close"), (b"x-odd", b"")]

    async def answering(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if scope["path"] == "/at-once":
            taken.append(scope[WRITER_KEY].answer(status, headers, body))
            taken.append(scope[WRITER_KEY].answer(status, headers, body))
        else:
            length = (b"content-length", b"%d" % len(body))
            await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
            await send({"type": "http.response.body", "body": body})

    async with serving(Connection, answering) as port:
        request = b"%b /%b HTTP/%b\r\nhost: x\r\n\r\n"
        sent, closed = await exchange(port, request % (method, b"sent", version))
        whole, closed_too = await exchange(port, request % (method, b"at-once", version))
    assert (undated(whole), closed_too) == (undated(sent), closed)
    assert whole.endswith(b"\r\n\r\n" if method == b"HEAD" or status == 204 else b"\r\n\r\n" + body)
    assert taken == [True, False]


async def test_a_client_that_does_not_keep_up_is_not_written_to_without_a_wait() -> None:
    found: list[bool] = []

    async def flooding(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        writer = scope[WRITER_KEY]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        for _ in range(1000):
            if writer.ready():
                writer.write(b"x" * 65536)
        found.append(writer.ready())
        await send({"type": "http.response.body", "body": b"when there is room", "more_body": True})
        found.append(writer.ready())
        await send({"type": "http.response.body", "body": b"last"})

    async with serving(Connection, flooding) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CLOSE)
        while not found:
            await asyncio.sleep(0.01)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert found == [False, True]
    assert answer.endswith(b"when there is room\r\n4\r\nlast\r\n0\r\n\r\n")


@pytest.mark.parametrize("begun", [b"", b"GET /"], ids=["connected", "begun"])
async def test_who_has_just_connected_is_answered_by_a_server_that_ends(begun: bytes) -> None:
    async with running(Connection) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port)
        writer.write(begun)
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        server.should_exit = True
        while server.servers[0].is_serving():
            await asyncio.sleep(0.01)
        writer.write((GET % b"a")[len(begun) :])
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()


@pytest.mark.parametrize("used", [False, True])
async def test_a_server_that_ends_waits_for_nobody_who_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, *, used: bool
) -> None:
    monkeypatch.setattr(connection_module, "FIRST_WORD_SECONDS", 0.05)
    async with running(Connection) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port)
        if used:
            writer.write(GET % b"a")
            await reader.readuntil(b"GET b'/a' b'' ")
        server.should_exit = True
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_who_asks_first_is_told_to_go_on() -> None:
    head = POST + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n"
    async with serving(Connection) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    async with serving(Connection) as port:
        answer, over = await exchange(port, b"GET /chunks HTTP/1.0\r\nhost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert over
    assert b"chunked" not in head
    assert body.startswith(b"piece")


async def test_a_head_without_end_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    sent = 0
    async with serving(Connection) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
        while "431" not in caplog.text and sent < 1_000_000:
            writer.write(b"x: %s\r\n" % (b"y" * 4000))
            sent += 4000
            await asyncio.sleep(0.002)
        writer.close()
    assert "431: The request's head is too large." in caplog.text
    assert sent >= 64_000


@pytest.mark.parametrize("reads", [1, 2])
@pytest.mark.parametrize("size", [64_000, 66_000])
async def test_a_head_that_comes_at_once_has_the_same_bound(size: int, reads: int) -> None:
    sent = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n"
    sent += b"".join(b"x-%d: %s\r\n" % (number, b"y" * 990) for number in range(size // 1000))
    async with serving(Connection) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b"z" * 70_000 if size < 64 * 1024 else b""
        for part in (sent[: len(sent) // reads], sent[len(sent) // reads :] + b"\r\n" + body):
            writer.write(part)
            await asyncio.sleep(0.1)
        status = await reader.readline()
        writer.close()
    assert status.split()[1] == (b"200" if size < 64 * 1024 else b"431")


CODINGS = {
    "packed": b"transfer-encoding: gzip, chunked\r\n",
    "packed, in two lines": b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
    "an unknown one": b"transfer-encoding: odd, chunked\r\n",
}


@pytest.mark.parametrize("kind", CODINGS)
async def test_a_body_in_a_coding_that_nobody_undoes_is_refused(kind: str) -> None:
    async with serving(Connection) as port:
        answer, over = await exchange(port, POST + CODINGS[kind] + b"\r\n1\r\na\r\n0\r\n\r\n" + GET % b"a")
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert over


async def test_what_is_no_request_is_answered_with_an_id_that_the_log_has(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Connection) as port:
        answer, _ = await exchange(port, b"GET / HTTP/1.1\r\nhost : x\r\n\r\n")
    found = re.search(rb"\r\nx-request-id: (req_\w{26})\r\n", answer)
    assert found
    assert found[1].decode() in caplog.text


@pytest.mark.parametrize("path", [b"fails", b"silent"])
async def test_an_application_that_fails_is_answered_for_with_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture, path: bytes
) -> None:
    async with serving(Connection) as port:
        answer, _ = await exchange(port, GET % path)
    found = re.search(rb"\r\nx-request-id: (req_\w{26})\r\n", answer)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert found
    assert f"{found[1].decode()}: the application" in caplog.text


ENDLESS = {
    "trailers": (b"0\r\n", b"x: %s\r\n" % (b"y" * 4000)),
    "one trailer": (b"0\r\nx: ", b"y" * 4000),
    "an extension of a chunk": (b"1;", b"y" * 4000),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_surrounds_a_body_without_end_is_refused(caplog: pytest.LogCaptureFixture, kind: str) -> None:
    begin, more = ENDLESS[kind]
    sent = 0
    async with serving(Connection) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n" + begin)
        while "431" not in caplog.text and sent < 1_000_000:
            writer.write(more)
            sent += len(more)
            await asyncio.sleep(0.002)
        writer.close()
    assert "431: The request's head is too large." in caplog.text
    assert sent >= 64_000


async def test_what_comes_behind_a_body_is_no_header_of_the_request() -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        seen.append(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    trailers = b"host: other\r\nauthorization: Bearer x\r\nexpect: 100-continue\r\n"
    async with serving(Connection, watched) as port:
        head = POST + b"transfer-encoding: chunked\r\n\r\n"
        answer, _ = await exchange(port, head + b"1\r\na\r\n0\r\n" + trailers + b"\r\n" + CLOSE)
    assert answer.count(b"HTTP/1.1 204") == 2
    assert b"100 Continue" not in answer
    assert seen[0] == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


async def test_a_connection_that_asks_for_nothing_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STALL_SECONDS", 60.0)
    async with serving(Connection) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"a")
        await reader.readuntil(b"GET b'/a' b'' ")
        # uvicorn's default: five seconds.
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


@pytest.mark.parametrize(
    "header", [(b"x a", b"1"), (b"x\r\nset-cookie", b"1"), (b"", b"1"), (b"x", b"1\r\nset-cookie: a"), (b"x", b"\x00")]
)
@pytest.mark.parametrize("at_once", [False, True])
async def test_a_header_that_would_break_the_answer_is_not_sent(header: tuple[bytes, bytes], *, at_once: bool) -> None:
    async def careless(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if at_once:
            scope[WRITER_KEY].answer(200, [header], b"ok")
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(Connection, careless) as port:
        answer, over = await exchange(port, GET % b"a")
    assert over
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in answer


@pytest.mark.parametrize("body", [b"too much", b"few"])
async def test_a_body_of_another_length_than_promised_ends_the_connection(body: bytes) -> None:
    async def careless(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": body})

    async with serving(Connection, careless) as port:
        answer, over = await exchange(port, GET % b"a" + GET % b"b")
    assert over
    assert answer.count(b"HTTP/1.1") <= 1
    assert body not in answer


async def test_a_large_body_is_held_back_until_it_is_read() -> None:
    seen: list[int] = []

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        while (message := await receive())["more_body"]:
            seen.append(len(message["body"]))
        seen.append(len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    size = 4 * 1024 * 1024
    async with serving(Connection, slow) as port:
        answer, _ = await exchange(port, POST + b"content-length: %d\r\n\r\n" % size + b"x" * size)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert sum(seen) == size
    assert len(seen) > 4  # in pieces, so the rest had to wait in the kernel


async def test_all_who_wait_for_the_end_hear_of_it() -> None:
    heard: list[str] = []

    async def watched(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        watches = [asyncio.ensure_future(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        heard.extend([(await watch)["type"] for watch in watches])

    async with serving(Connection, watched) as port:
        await exchange(port, CLOSE)
    assert heard == ["http.disconnect"] * 2


async def test_a_server_tells_once_who_has_left_and_nobody_who_does_not_ask() -> None:
    told: list[bytes] = []

    async def watching(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path, writer, left = scope["raw_path"], scope[WRITER_KEY], asyncio.Event()
        await receive()
        await asyncio.sleep(0.1)  # meanwhile the second request comes, and reading stops

        def leave() -> None:
            told.append(path)
            left.set()

        writer.when_gone(leave)
        if path == b"/unasked":
            writer.when_gone(None)
        if path == b"/answered":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"whole"})
            return
        if path == b"/unasked":
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            async with asyncio.timeout(10):
                await left.wait()
        writer.when_gone(leave)  # at once
        told.append(b"ended")

    async with serving(Connection, watching) as port:
        await exchange(port, GET % b"answered")
        for path, heard in ((b"left", 3), (b"unasked", 5)):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET % path)
            await asyncio.sleep(0.05)
            writer.write(GET % b"behind")
            await asyncio.sleep(0.1)
            writer.close()
            async with asyncio.timeout(10):
                while len(told) < heard:
                    await asyncio.sleep(0.01)
    assert told == [b"/left", b"/left", b"ended", b"/unasked", b"ended"]
