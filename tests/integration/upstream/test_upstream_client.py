"""The upstream client against a real loopback server that follows a script."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reseller_kit.core.deadlines import Deadlines
from reseller_kit.core.errors import UpstreamFailed
from reseller_kit.core.fairness import NOBODY, Turn
from reseller_kit.upstream import connection as connection_module
from reseller_kit.upstream import decoding, keyed
from reseller_kit.upstream.anthropic import AnthropicUpstream
from reseller_kit.upstream.connection import HIGH_WATER_BYTES
from reseller_kit.upstream.credentials import NoKeyFree
from reseller_kit.upstream.endpoint import Endpoint, Queueing, endpoint, request_head
from reseller_kit.upstream.faults import Busy, TransportFailed
from reseller_kit.upstream.gemini import GeminiUpstream
from reseller_kit.upstream.openai import OpenAIUpstream
from reseller_kit.upstream.passage import Passage
from reseller_kit.upstream.pool import Pool
from reseller_kit.upstream.response import Response
from tests.support.pools import fingerprint_of, key_pool

Answer = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]
LIMIT = 1024 * 1024


class Server:
    """What a test sees of its scripted server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.requests: list[bytes] = []
        self.hung_up = asyncio.Event()


async def read_request(reader: asyncio.StreamReader, *, head_only: bool) -> bytes:
    """One request, b"" when the client has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    if head_only:
        return head
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def serving(answer: Answer, *, head_only: bool = False, **options: Any) -> AsyncIterator[Server]:
    """A server that calls `answer(writer, n)` for its n-th request; False from it closes the connection."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.connections += 1
        try:
            while request := await read_request(reader, head_only=head_only):
                state.requests.append(request)
                if not await answer(writer, len(state.requests) - 1):
                    break
            else:
                state.hung_up.set()
        except ConnectionError:
            state.hung_up.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    state = Server(server.sockets[0].getsockname()[1])
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*answers: bytes, keep: bool = True, step: int = 0) -> Answer:
    """The n-th request gets the n-th answer (the last one for ever), in writes of `step` bytes if that is not 0."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> bool:
        data = answers[min(n, len(answers) - 1)]
        size = step or max(len(data), 1)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if step:
                await asyncio.sleep(0)
        return keep

    return answer


def local(port: int, **options: Any) -> Endpoint:
    return endpoint("test", f"http://127.0.0.1:{port}/v1", **options)


@asynccontextmanager
async def pool_for(server: Server, **options: Any) -> AsyncIterator[Pool]:
    pool = Pool(local(server.port, **options))
    try:
        yield pool
    finally:
        pool.abort()
        await asyncio.sleep(0)


async def ask(pool: Pool, body: bytes = b"{}", turn: Turn = NOBODY) -> Response:
    return await pool.send(request_head(pool.endpoint, "POST", "/chat/completions"), body, Passage(turn=turn))


async def failure_of(pool: Pool) -> TransportFailed:
    with pytest.raises(TransportFailed) as caught:
        await (await ask(pool)).read(LIMIT)
    assert isinstance(caught.value, UpstreamFailed)
    return caught.value


async def read_until_fault(response: Response) -> tuple[bytes, TransportFailed]:
    got = b""
    while True:
        try:
            piece = await response.chunk()
        except TransportFailed as fault:
            return got, fault
        assert piece, "the answer ended without a fault"
        got += piece


def sized(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body + end


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


async def test_a_plain_answer_and_what_was_sent() -> None:
    async with serving(answering(sized(b"hello", b"X-Kind: a", b"x-kind: b"))) as server, pool_for(server) as pool:
        response = await ask(pool, b'{"a":1}')
        assert (response.status, await response.read(LIMIT)) == (200, b"hello")
        assert response.headers[b"x-kind"] == b"a, b"
        assert await response.chunk() == b""
        head, body = server.requests[0].split(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
        assert b"host: 127.0.0.1:%d" % server.port in lines
        assert b"accept-encoding: identity" in lines
        assert b"content-length: 7" in lines
        assert body == b'{"a":1}'


async def test_headers_of_any_case_and_with_blanks_around_them() -> None:
    lines = b"HTTP/1.1 200 OK\r\nContent-LENGTH:\t2 \r\nX-Colons:  a:b: \t\r\nx-empty:\r\nX-COLONS: c\r\n\r\nok"
    async with serving(answering(lines)) as server, pool_for(server) as pool:
        for _ in range(2):
            response = await ask(pool)
            assert await response.read(LIMIT) == b"ok"
            assert response.headers == {b"content-length": b"2", b"x-colons": b"a:b:, c", b"x-empty": b""}
        assert server.connections == 1


@pytest.mark.parametrize("name", [b"Content-Length", b"Transfer-Encoding", b"Content-Encoding"])
async def test_a_value_that_looks_like_a_header_frames_nothing(name: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nx: " + name + b": 1\r\n\r\nall of it"
    async with serving(answering(answer, keep=False)) as server, pool_for(server) as pool:
        assert await (await ask(pool)).read(LIMIT) == b"all of it"


async def test_a_request_without_a_body_has_no_length() -> None:
    async with serving(answering(sized(b"ok"))) as server, pool_for(server) as pool:
        response = await pool.send(request_head(pool.endpoint, "GET", "/models"))
        assert await response.read(LIMIT) == b"ok"
        assert b"content-length" not in server.requests[0]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 0])
async def test_chunked_bodies_split_anywhere(step: int) -> None:
    answer = chunked(b"data: a\n\n", b"data: bc\n\n", b"x" * 300, end=b"0\r\nx-trailer: 1\r\n\r\n")
    async with serving(answering(answer, step=step)) as server, pool_for(server) as pool:
        for _ in range(2):
            response = await ask(pool)
            assert await response.read(LIMIT) == b"data: a\n\ndata: bc\n\n" + b"x" * 300
            assert b"x-trailer" not in response.headers
        assert server.connections == 1


async def test_every_split_into_two_reads() -> None:
    answer = chunked(b"abc", b"de")
    cut = 0

    async def answer_in_two(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(answer[:cut])
        await asyncio.sleep(0.001)
        writer.write(answer[cut:])
        return True

    async with serving(answer_in_two) as server, pool_for(server) as pool:
        for cut in range(1, len(answer)):  # noqa: B007 - read by the server
            assert await (await ask(pool)).read(LIMIT) == b"abcde"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nx: y\r\n\r\n"])
async def test_a_body_until_close(head: bytes) -> None:
    async with serving(answering(head + b"all of it", keep=False)) as server, pool_for(server) as pool:
        for _ in range(2):
            assert await (await ask(pool)).read(LIMIT) == b"all of it"
        assert server.connections == 2


async def test_informational_answers_and_empty_ones() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    answers = (early + sized(b"final"), b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n", sized(b""))
    async with serving(answering(*answers)) as server, pool_for(server) as pool:
        response = await ask(pool)
        assert (response.status, await response.read(LIMIT)) == (200, b"final")
        assert b"link" not in response.headers
        empty = await ask(pool)
        assert (empty.status, await empty.read(LIMIT)) == (204, b"")
        assert await (await ask(pool)).read(LIMIT) == b""
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nhalf",
        chunked(b"half", end=b""),
        chunked(b"half", end=b"5\r\nab"),
    ],
)
async def test_a_truncated_body_delivers_what_came_and_then_fails(answer: bytes) -> None:
    async with serving(answering(answer, keep=False)) as server, pool_for(server) as pool:
        response = await ask(pool)
        got, fault = await read_until_fault(response)
        assert got.startswith(b"half")
        assert (fault.kind, fault.before_bytes, fault.upstream_status) == ("reset", False, 200)
        assert pool.in_use == 0


async def test_closing_before_any_byte_is_a_reset_and_not_stale_on_a_new_connection() -> None:
    async with serving(answering(b"", keep=False)) as server, pool_for(server) as pool:
        fault = await failure_of(pool)
        assert (fault.kind, fault.before_bytes, fault.reused, fault.stale) == ("reset", True, False, False)
        assert fault.upstream_status is None


async def test_a_kept_connection_that_is_closed_on_the_next_request_is_stale() -> None:
    async def once(writer: asyncio.StreamWriter, n: int) -> bool:
        if n != 1:
            writer.write(sized(b"ok"))
        return n != 1

    async with serving(once) as server, pool_for(server) as pool:
        assert await (await ask(pool)).read(LIMIT) == b"ok"
        assert (await failure_of(pool)).stale
        assert await (await ask(pool)).read(LIMIT) == b"ok"


async def test_an_upstream_that_never_serves_twice_on_a_connection_gets_new_ones_before_long() -> None:
    """Else every other call would take a retry, until there are none."""
    served: set[asyncio.StreamWriter] = set()

    async def once_each(writer: asyncio.StreamWriter, _n: int) -> bool:
        if writer in served:
            return False
        served.add(writer)
        writer.write(sized(b"ok"))
        return True

    async with serving(once_each) as server, pool_for(server) as pool:
        failures = 0
        for _ in range(20):
            try:
                await (await ask(pool)).read(LIMIT)
            except TransportFailed as fault:
                failures += fault.stale
        assert (failures, pool.idle, pool.in_use) == (3, 0, 0)


async def test_a_connection_closed_while_idle_is_not_used_again() -> None:
    async with serving(answering(sized(b"ok"), keep=False)) as server, pool_for(server) as pool:
        for _ in range(3):
            assert await (await ask(pool)).read(LIMIT) == b"ok"
            await eventually(lambda: pool.idle == 0)
        assert server.connections == 3


async def test_a_slow_first_byte_times_out() -> None:
    async def never(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(60)
        return True

    async with serving(never) as server, pool_for(server, deadlines=Deadlines(first_byte=0.05)) as pool:
        fault = await failure_of(pool)
        assert (fault.kind, fault.upstream_status) == ("timeout", None)
        assert "no answer" in fault.reason


async def test_a_silent_stream_times_out_and_a_slow_steady_one_does_not() -> None:
    async def drip(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(chunked(end=b""))
        for _ in range(8):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.05)
        await asyncio.sleep(60)
        return True

    async with serving(drip) as server, pool_for(server, deadlines=Deadlines(first_byte=0.2, idle=0.2)) as pool:
        response = await ask(pool)
        got, fault = await read_until_fault(response)
        assert got == b"x" * 8
        assert fault.kind == "timeout"


async def test_nobody_listens() -> None:
    async with serving(answering(b"")) as server:
        port = server.port
    pool = Pool(local(port))
    fault = await failure_of(pool)
    assert (fault.kind, fault.before_bytes) == ("connect", True)
    assert pool.in_use == 0


async def test_an_unknown_host_is_a_connect_fault() -> None:
    pool = Pool(endpoint("test", "http://" + "a" * 70 + ".invalid/v1"))
    assert (await failure_of(pool)).kind == "connect"


async def test_connections_are_reused_last_first_and_expire() -> None:
    async with serving(answering(sized(b"ok"))) as server, pool_for(server, keep_alive_seconds=0.1) as pool:
        first, second = await asyncio.gather(ask(pool), ask(pool))
        assert await first.read(LIMIT) == await second.read(LIMIT) == b"ok"
        assert (pool.idle, pool.in_use, server.connections) == (2, 0, 2)
        for _ in range(5):
            await (await ask(pool)).read(LIMIT)
        assert server.connections == 2
        await eventually(lambda: pool.idle == 0)
        await (await ask(pool)).read(LIMIT)
        assert server.connections == 3


async def test_slots_are_bounded_and_handed_over_in_order() -> None:
    gate = asyncio.Event()

    async def gated(writer: asyncio.StreamWriter, n: int) -> bool:
        await gate.wait()
        writer.write(sized(b"%d" % n))
        return True

    async with serving(gated) as server, pool_for(server, max_concurrency=2) as pool:
        calls = [asyncio.create_task(ask(pool)) for _ in range(6)]
        await eventually(lambda: len(server.requests) == 2)
        calls[2].cancel()
        await asyncio.sleep(0.02)
        assert (len(server.requests), pool.in_use) == (2, 2)
        gate.set()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(done[2], asyncio.CancelledError)
        assert len(server.requests) == 5
        assert server.connections == 2
        assert pool.in_use == 0


async def test_a_full_pool_refuses_after_a_while() -> None:
    async def never(writer: asyncio.StreamWriter, n: int) -> bool:
        await asyncio.sleep(60)
        return True

    short = Queueing(seconds=0.1, length=3, length_per_tenant=2)
    async with serving(never) as server, pool_for(server, max_concurrency=1, queue=short) as pool:
        busy = asyncio.create_task(ask(pool))
        await eventually(lambda: len(server.requests) == 1)
        with pytest.raises(Busy) as caught:
            await ask(pool)
        assert (caught.value.retry_after, caught.value.own, pool.waiting) == (1, False, 0)
        waiting = [asyncio.create_task(ask(pool, turn=Turn(tenant, "a"))) for tenant in (1, 1, 2)]
        await eventually(lambda: pool.waiting == 3)
        for tenant, own in ((1, True), (2, False), (3, False)):
            with pytest.raises(Busy) as caught:
                await ask(pool, turn=Turn(tenant, "a"))
            assert caught.value.own is own
        for task in (busy, *waiting):
            task.cancel()
        await asyncio.gather(busy, *waiting, return_exceptions=True)
        assert (pool.in_use, pool.waiting) == (0, 0)


async def test_a_burst_of_one_storefront_does_not_hold_up_another() -> None:
    order: list[bytes] = []

    async def slowly(writer: asyncio.StreamWriter, n: int) -> bool:
        order.append(server.requests[n].rpartition(b"\r\n")[2])
        await asyncio.sleep(0.005)
        writer.write(sized(b"ok"))
        return True

    async def one(tenant: int, customer: str) -> None:
        response = await ask(pool, customer.encode(), turn=Turn(tenant, customer))
        await response.read(100)

    async with serving(slowly) as server, pool_for(server, max_concurrency=2) as pool:
        burst = [asyncio.create_task(one(1, "greedy")) for _ in range(100)]
        await eventually(lambda: len(order) == 10)
        served = len(order)
        await one(2, "patient")
        assert order.index(b"patient") <= served + 3
        modest = asyncio.create_task(one(1, "modest"))
        await modest
        assert order.index(b"modest") < 30
        await asyncio.gather(*burst)
        assert (pool.in_use, pool.waiting, len(order)) == (0, 0, 102)


async def test_a_request_that_is_given_up_as_its_turn_comes_loses_no_slot() -> None:
    gate = asyncio.Event()

    async def in_two_halves(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(sized(b"ok")[:-1])
        await gate.wait()
        writer.write(b"k")
        return True

    async with serving(in_two_halves) as server, pool_for(server, max_concurrency=1) as pool:
        for position in range(20):
            gate.clear()
            first = await ask(pool)
            waiting = [asyncio.create_task(ask(pool)) for _ in range(2)]
            await eventually(lambda: pool.waiting == 2)
            reading = asyncio.create_task(first.read(10))
            gate.set()
            for _ in range(position % 7):
                await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await reading
            for outcome in await asyncio.gather(*waiting, return_exceptions=True):
                if isinstance(outcome, Response):
                    await outcome.read(10)
            assert (pool.in_use, pool.waiting) == (0, 0)


async def test_an_answer_has_an_end_however_lively_it_is() -> None:
    async def endless(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(1000):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)
        return False

    async with serving(endless) as server, pool_for(server) as pool:
        head = request_head(pool.endpoint, "POST", "/chat/completions")
        response = await pool.send(head, b"{}", Passage(deadlines=Deadlines(total=0.3)))
        with pytest.raises(TransportFailed) as caught:
            await response.read(10_000)
        assert (caught.value.kind, caught.value.reason) == ("timeout", "no end within 0.3 s")
        assert pool.in_use == 0


async def test_a_reader_that_stops_holds_the_sender_back() -> None:
    total, piece = 50 * 1024 * 1024, 64 * 1024
    sent = 0

    async def flood(writer: asyncio.StreamWriter, n: int) -> bool:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(b"y" * piece)
            await writer.drain()
            sent += piece
        return True

    async with serving(flood) as server, pool_for(server) as pool:
        response = await ask(pool)
        while True:
            before = sent
            await asyncio.sleep(0.3)
            if sent == before:
                break
        # One socket read above the mark at most; the rest waits in the kernel and in the sender.
        assert response.buffered <= HIGH_WATER_BYTES + 512 * 1024
        assert sent < total / 2
        got = 0
        while data := await response.chunk():
            got += len(data)
            assert len(data) <= HIGH_WATER_BYTES + 512 * 1024
        assert got == total


async def test_a_reader_that_never_comes_back_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STALL_SECONDS", 0.1)

    async def flood(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"y" * 65536)
            await writer.drain()

    async with serving(flood) as server, pool_for(server) as pool:
        response = await ask(pool)
        await eventually(lambda: response.fault is not None)
        assert pool.in_use == 0
        await eventually(server.hung_up.is_set)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "HTTP"),
        (b"HTTP/1.1 20x OK\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "101"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer-encoding"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-enc",
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\na: b\r\n content-length: 1\r\n\r\nx", "HTTP"),
        (b"HTTP/1.1 200 OK\r\na: b\n\ncontent-length: 1\r\n\r\nx", "HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\nx", "HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\nbad header: 1\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + b"a:\r\n" * 200 + b"\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\na: " + b"x" * 200_000, "headers"),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * 5000, "headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx", "content-encoding"),
        (chunked(b"a", end=b"0\r\n" + b"t: " + b"x" * 300_000), "trailers"),
        (chunked(b"a", end=b"1;" + b"x" * 400_000), "extensions"),
    ],
)
async def test_answers_that_are_not_usable(answer: bytes, words: str) -> None:
    async with (
        serving(answering(answer)) as server,
        pool_for(server, deadlines=Deadlines(first_byte=2, idle=2)) as pool,
    ):
        fault = await failure_of(pool)
        assert fault.kind == "malformed", fault.reason
        assert words in fault.reason
        assert (pool.in_use, pool.idle) == (0, 0)


async def test_bytes_after_the_answer_close_the_connection() -> None:
    async with serving(answering(sized(b"one") + sized(b"smuggled"))) as server, pool_for(server) as pool:
        for _ in range(2):
            assert await (await ask(pool)).read(LIMIT) == b"one"
        assert server.connections == 2


async def test_an_unasked_answer_on_an_idle_connection_is_never_taken_for_the_next() -> None:
    async def twice(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(sized(b"right"))
        await asyncio.sleep(0.02)
        writer.write(sized(b"wrong"))
        return True

    async with serving(twice) as server, pool_for(server) as pool:
        assert await (await ask(pool)).read(LIMIT) == b"right"
        await eventually(lambda: pool.idle == 0)
        assert await (await ask(pool)).read(LIMIT) == b"right"
        assert server.connections == 2


async def test_an_answer_before_the_request_was_taken_does_not_keep_the_connection() -> None:
    early = answering(sized(b"too large", status=b"413 Payload Too Large"))
    async with serving(early, head_only=True) as server, pool_for(server) as pool:
        response = await ask(pool, b"z" * 30_000_000)
        assert (response.status, await response.read(LIMIT)) == (413, b"too large")
        assert (pool.idle, pool.in_use) == (0, 0)


async def test_connection_close_is_respected() -> None:
    async with serving(answering(sized(b"ok", b"connection: close"))) as server, pool_for(server) as pool:
        for _ in range(2):
            assert await (await ask(pool)).read(LIMIT) == b"ok"
            assert pool.idle == 0
        assert server.connections == 2


async def test_abort_closes_the_upstream_socket() -> None:
    async def endless(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(chunked(b"data: x\n\n", end=b""))
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with serving(endless) as server, pool_for(server) as pool:
        response = await ask(pool)
        ends: list[int] = []
        response.when_ended(lambda: ends.append(1))
        assert await response.chunk()
        response.abort()
        response.abort()
        async with asyncio.timeout(30):
            await server.hung_up.wait()
        assert (pool.in_use, pool.idle, ends) == (0, 0, [1])
        response.when_ended(lambda: ends.append(2))
        assert ends == [1, 2]
        assert (await read_until_fault(response))[1].kind == "aborted"


async def test_leaving_an_answer_whose_end_is_near_keeps_the_connection() -> None:
    async def late_end(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(chunked(b"data: [DONE]\n\n", end=b""))
        await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        return True

    async with serving(late_end) as server, pool_for(server) as pool:
        for _ in range(3):
            response = await ask(pool)
            ends: list[int] = []
            response.when_ended(lambda: ends.append(1))  # noqa: B023 - called in this round
            assert await response.chunk() == b"data: [DONE]\n\n"
            response.leave()
            response.abort()
            assert not ends
            await eventually(lambda: pool.in_use == 0)
            assert (ends, response.ended, await response.chunk()) == ([1], True, b"")
        assert server.connections == 1


@pytest.mark.parametrize("more", [b"", b"x" * 100, b"x" * 65536])
async def test_leaving_an_answer_that_does_not_end_closes_it(more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LEAVE_SECONDS", 0.1)

    async def endless(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(endless) as server, pool_for(server) as pool:
        response = await ask(pool)
        assert (await response.chunk()).startswith(b"first")
        response.leave()
        await eventually(lambda: pool.in_use == 0)
        assert response.fault is not None
        assert response.fault.kind == "aborted"


async def test_cancelling_the_caller_closes_the_upstream_socket() -> None:
    async def never(writer: asyncio.StreamWriter, n: int) -> bool:
        while True:
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 103 Hints\r\n\r\n")
            await writer.drain()

    async with serving(never) as server, pool_for(server) as pool:
        call = asyncio.create_task(ask(pool))
        await eventually(lambda: len(server.requests) == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.hung_up.wait(), 30)
        assert pool.in_use == 0


async def test_a_cancelled_chunk_loses_nothing() -> None:
    go = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(chunked(end=b""))
        await go.wait()
        writer.write(b"3\r\nabc\r\n0\r\n\r\n")
        return True

    async with serving(wait) as server, pool_for(server) as pool:
        response = await ask(pool)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await response.chunk()
        go.set()
        assert await response.read(LIMIT) == b"abc"


async def test_pieces_are_taken_in_the_moment_that_they_come() -> None:
    steps = [asyncio.Event() for _ in range(3)]

    async def in_steps(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(chunked(end=b""))
        for piece, step in zip((b"3\r\nabc\r\n", b"2\r\nde\r\n", b"1\r\nf\r\n0\r\n\r\n"), steps, strict=True):
            await step.wait()
            writer.write(piece)
        return True

    async with serving(in_steps) as server, pool_for(server) as pool:
        response = await ask(pool)
        taken: list[bytes] = []

        def take() -> bool:
            taken.append(response.pop())
            return len(taken) < 2

        waiting = asyncio.create_task(response.wait(take))
        steps[0].set()
        await eventually(lambda: taken == [b"abc"])
        assert not waiting.done()
        steps[1].set()
        await waiting
        assert taken == [b"abc", b"de"]
        steps[2].set()
        assert await response.read(LIMIT) == b"f"


async def test_what_comes_compressed_is_not_taken_as_it_comes() -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def in_steps(writer: asyncio.StreamWriter, n: int) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n")
        await begun.wait()
        text = gzip.compress(b"text")
        writer.write(b"%x\r\n%b\r\n" % (len(text), text))
        await over.wait()
        writer.write(b"0\r\n\r\n")
        return True

    async with serving(in_steps) as server, pool_for(server) as pool:
        response = await ask(pool)
        taken: list[bytes] = []

        def take() -> bool:
            taken.append(response.pop())
            return False

        waiting = asyncio.create_task(response.wait(take))
        await asyncio.sleep(0)
        begun.set()
        await waiting
        assert not taken
        assert await response.chunk() == b"text"
        over.set()
        assert await response.chunk() == b""


async def test_abort_after_the_end_keeps_the_connection() -> None:
    async with serving(answering(sized(b"ok"))) as server, pool_for(server) as pool:
        for _ in range(3):
            response = await ask(pool)
            assert await response.read(LIMIT) == b"ok"
            response.abort()
        assert server.connections == 1


async def test_an_undrained_answer_is_not_mixed_with_the_next() -> None:
    async with serving(answering(sized(b"first"), sized(b"second"))) as server, pool_for(server) as pool:
        first = await ask(pool)
        second = await ask(pool)
        assert await second.read(LIMIT) == b"second"
        assert await first.read(LIMIT) == b"first"
        assert server.connections == 1


async def test_an_answer_whose_reader_comes_back_late_is_not_mixed_with_the_next() -> None:
    """What came of the first was taken, and its end came apart while its reader waited for a slow client."""
    go = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter, n: int) -> bool:
        if n == 0:
            writer.write(chunked(b"first", end=b""))
            await go.wait()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(chunked(b"second", end=b""))
            await asyncio.sleep(0.02)
            writer.write(b"0\r\n\r\n")
        return True

    async with serving(answer) as server, pool_for(server) as pool:
        first = await ask(pool)
        assert await first.chunk() == b"first"
        go.set()
        await eventually(lambda: first.ended)
        second = await ask(pool)
        await eventually(lambda: second.buffered > 0)
        assert await first.chunk() == b""
        assert await second.read(LIMIT) == b"second"
        assert server.connections == 1


async def test_a_body_over_the_callers_limit() -> None:
    async with serving(answering(chunked(*[b"z" * 1000] * 100, end=b""))) as server, pool_for(server) as pool:
        with pytest.raises(TransportFailed) as caught:
            await (await ask(pool)).read(5000)
        assert caught.value.kind == "too_large"
        assert pool.in_use == 0
        await asyncio.wait_for(server.hung_up.wait(), 30)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"GZIP"])
async def test_a_compressed_answer_is_decoded(coding: bytes) -> None:
    text = b"".join(b"data: %d\n\n" % n for n in range(50_000))
    packed = gzip.compress(text) if coding.lower() == b"gzip" else zlib.compress(text)
    async with serving(answering(sized(packed, b"content-encoding: " + coding))) as server, pool_for(server) as pool:
        assert await (await ask(pool)).read(LIMIT) == text


async def test_a_compression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding.Inflater.__init__, "__defaults__", (LIMIT,))
    bomb = gzip.compress(bytes(30 * LIMIT))
    async with serving(answering(sized(bomb, b"content-encoding: gzip"))) as server, pool_for(server) as pool:
        with pytest.raises(TransportFailed) as caught:
            await (await ask(pool)).read(100 * LIMIT)
        assert caught.value.kind == "too_large"


async def test_broken_and_short_compressed_bodies() -> None:
    packed = gzip.compress(b"hello" * 1000)
    bodies = (packed[:-8], packed + b"more", b"not gzip at all")
    for body in bodies:
        async with serving(answering(sized(body, b"content-encoding: gzip"))) as server, pool_for(server) as pool:
            assert (await failure_of(pool)).kind == "malformed"


async def test_redirects_are_answers_like_any_other() -> None:
    moved = sized(b"", b"location: http://127.0.0.1:1/", status=b"307 Temporary Redirect")
    async with serving(answering(moved)) as server, pool_for(server) as pool:
        assert (await ask(pool)).status == 307
        assert len(server.requests) == 1


async def test_a_closed_pool_lets_running_answers_end() -> None:
    gate = asyncio.Event()

    async def gated(writer: asyncio.StreamWriter, n: int) -> bool:
        await gate.wait()
        writer.write(sized(b"ok"))
        return True

    async with serving(gated) as server, pool_for(server) as pool:
        call = asyncio.create_task(ask(pool))
        await eventually(lambda: len(server.requests) == 1)
        pool.close()
        gate.set()
        assert await (await call).read(LIMIT) == b"ok"
        assert pool.idle == 0
        assert (await failure_of(pool)).kind == "aborted"
        await eventually(server.hung_up.is_set)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A self-made authority's file and a server context for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return cert_file, context


async def test_tls_is_verified(certificate: tuple[Path, ssl.SSLContext]) -> None:
    ca_file, context = certificate
    async with serving(answering(chunked(b"se", b"cret")), ssl=context) as server:
        trusting = Pool(endpoint("test", f"https://127.0.0.1:{server.port}/v1", ca_file=str(ca_file)))
        for _ in range(2):
            assert await (await ask(trusting)).read(LIMIT) == b"secret"
        assert server.connections == 1
        strict = Pool(endpoint("test", f"https://127.0.0.1:{server.port}/v1"))
        fault = await failure_of(strict)
        assert fault.kind == "connect"
        assert "CERTIFICATE_VERIFY_FAILED" in fault.reason
        other_name = Pool(endpoint("test", f"https://localhost:{server.port}/v1", ca_file=str(ca_file)))
        assert (await failure_of(other_name)).kind == "connect"
        trusting.abort()
        await asyncio.sleep(0.05)


async def test_plain_http_on_a_tls_port_and_the_other_way(certificate: tuple[Path, ssl.SSLContext]) -> None:
    ca_file, context = certificate
    async with serving(answering(sized(b"ok")), ssl=context) as server, pool_for(server) as pool:
        assert (await failure_of(pool)).kind in ("reset", "malformed")
    async with serving(answering(sized(b"ok"))) as server:
        pool = Pool(
            endpoint("test", f"https://127.0.0.1:{server.port}", ca_file=str(ca_file), deadlines=Deadlines(connect=0.2))
        )
        assert (await failure_of(pool)).kind == "connect"


async def test_openai_upstream_sends_credentials_and_its_own_headers() -> None:
    async with serving(answering(sized(b"{}"))) as server:
        upstream = OpenAIUpstream(local(server.port, headers=(("X-Team", "blue"),)), key_pool("sk-one", "sk-two"))
        for stream in (False, True, False):
            response = await upstream.open("/chat/completions", b"{}", stream=stream, request_id="req_7")
            assert await response.read(LIMIT) == b"{}"
        upstream.close()
        keys = [request.split(b"authorization: Bearer ")[1].split(b"\r\n")[0] for request in server.requests]
        assert keys == [b"sk-one", b"sk-two", b"sk-one"]
        accepts = [request.split(b"accept: ")[1].split(b"\r\n")[0] for request in server.requests]
        assert accepts == [b"application/json", b"text/event-stream", b"application/json"]
        for request in server.requests:
            assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
            assert b"x-team: blue\r\n" in request
            assert b"x-client-request-id: req_7\r\n" in request
            assert b"content-type: application/json\r\n" in request


async def test_openai_upstream_prefers_the_idle_key() -> None:
    gate = asyncio.Event()

    async def gated(writer: asyncio.StreamWriter, n: int) -> bool:
        if n == 0:
            await gate.wait()
        writer.write(sized(b"{}"))
        return True

    async with serving(gated) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one", "sk-two"))
        slow = asyncio.create_task(upstream.open("/chat/completions", b"{}", stream=False, request_id="r"))
        await eventually(lambda: len(server.requests) == 1)
        for _ in range(3):
            await (await upstream.open("/chat/completions", b"{}", stream=False, request_id="r")).read(LIMIT)
        gate.set()
        await (await slow).read(LIMIT)
        assert [b"sk-one" in request for request in server.requests] == [True, False, False, False]
        upstream.close()


async def test_openai_upstream_check() -> None:
    answers = (sized(b'{"data":[]}'), sized(b"{}", status=b"401 Unauthorized"))
    async with serving(answering(*answers)) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one", "sk-two"))
        report = await upstream.check()
        assert (report.upstream, report.ok) == ("test", False)
        assert [(key.fingerprint, key.status, key.fault) for key in report.keys] == [
            (fingerprint_of("sk-one"), 200, ""),
            (fingerprint_of("sk-two"), 401, "answered 401"),
        ]
        assert server.requests[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
        upstream.close()
    upstream = OpenAIUpstream(local(server.port), key_pool("sk-one"))
    report = await upstream.check()
    assert (report.ok, report.keys[0].status) == (False, None)
    assert report.keys[0].fault.startswith("connect: ")
    assert "sk-one" not in repr(report)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"data":{"limit":100,"limit_remaining":74.5}}', ""),
        (b'{"data":{"limit":null,"limit_remaining":null}}', ""),
        (b'{"data":{"limit":100,"limit_remaining":0}}', "nothing is left of the key's limit"),
        (b'{"data":{"limit":100,"limit_remaining":-0.2}}', "nothing is left of the key's limit"),
        (b'{"data":[]}', "the answer is not an account of a key"),
        (b"<html>", "the answer is not an account of a key"),
    ],
)
async def test_a_key_of_openrouter_is_checked_by_what_is_left_on_it(body: bytes, fault: str) -> None:
    async with serving(answering(sized(body))) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-or"), provider="openrouter")
        (key,) = (await upstream.check()).keys
        assert (key.status, key.fault) == (200, fault)
        assert server.requests[0].startswith(b"GET /v1/key HTTP/1.1\r\n")
        upstream.close()


async def test_a_refusal_is_read_and_judged_and_the_key_learns() -> None:
    said = b'{"error":{"message":"Incorrect API key provided: sk-one-0123456789abcdef.","code":"invalid_api_key"}}'
    answers = (sized(said, status=b"401 Unauthorized"), sized(b"{}"), sized(b"{}"))
    async with serving(answering(*answers)) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one-0123456789abcdef", "sk-two"))
        response = await upstream.open("/a", b"{}", stream=False, request_id="r")
        assert response.refusal is not None
        shown = said.replace(b"sk-one-0123456789abcdef", "…".encode())
        assert (response.refusal.verdict.blame, response.refusal.body) == ("key", shown)
        state = upstream.keys.credentials[0].state
        assert state is not None
        assert (state.standing, "0123456789" in state.reason) == ("parked", False)
        for _ in range(2):
            assert await (await upstream.open("/a", b"{}", stream=False, request_id="r")).read(LIMIT) == b"{}"
        assert [b"sk-two" in request for request in server.requests] == [False, True, True]
        assert [each.load.in_flight for each in upstream.keys.credentials] == [0, 0]
        upstream.close()


async def test_a_refusal_that_does_not_end_is_judged_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "_REFUSAL_SECONDS", 0.05)

    async def endless(writer: asyncio.StreamWriter, _n: int) -> bool:
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 100\r\n\r\n{")
        await asyncio.sleep(60)
        return False

    async with serving(endless) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one"))
        response = await upstream.open("/a", b"{}", stream=False, request_id="r")
        assert response.refusal is not None
        assert (response.refusal.verdict.blame, response.refusal.verdict.retry_after) == ("cooldown", 7)
        assert not upstream.usable()
        assert 6 < upstream.soonest() <= 7
        with pytest.raises(NoKeyFree):
            await upstream.open("/a", b"{}", stream=False, request_id="r")
        assert len(server.requests) == 1
        await eventually(lambda: upstream.keys.credentials[0].load.in_flight == 0)
        upstream.close()


async def test_a_call_that_is_given_up_while_its_refusal_is_read_frees_its_place() -> None:
    async def endless(writer: asyncio.StreamWriter, _n: int) -> bool:
        writer.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\n{")
        await asyncio.sleep(60)
        return False

    async with serving(endless) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one"))
        call = asyncio.create_task(upstream.open("/a", b"{}", stream=False, request_id="r"))
        await eventually(lambda: len(server.requests) == 1)
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert upstream.keys.credentials[0].load.in_flight == 0
        assert upstream.pool.in_use == 0
        upstream.close()


async def test_a_wrong_request_id_never_reaches_the_wire() -> None:
    async with serving(answering(sized(b"{}"))) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one"))
        with pytest.raises(Exception, match="request id"):
            await upstream.open("/chat/completions", b"{}", stream=False, request_id="a\r\nx: y")
        await (await upstream.open("/chat/completions", b"{}", stream=False, request_id="ok")).read(LIMIT)
        assert len(server.requests) == 1
        upstream.close()


@pytest.mark.parametrize("base_path", ["", "/v1", "/proxy/v1"])
async def test_anthropic_upstream_sends_its_own_credentials_and_the_callers_headers(base_path: str) -> None:
    def header(request: bytes, name: bytes) -> list[bytes]:
        lines = request.split(b"\r\n\r\n")[0].split(b"\r\n")
        return [line.partition(b": ")[2] for line in lines if line.partition(b":")[0] == name]

    async with serving(answering(sized(b"{}"))) as server:
        configured = (("Anthropic-Beta", "context-1m, tools-x"), ("x-team", "blue"))
        target = endpoint("test", f"http://127.0.0.1:{server.port}{base_path}", headers=configured)
        upstream = AnthropicUpstream(target, key_pool("sk-one"))
        asked = (("anthropic-version", "2024-01-01"), ("anthropic-beta", "tools-x,fine"))
        for headers in ((), asked):
            response = await upstream.open("/v1/messages", b"{}", stream=True, request_id="req_7", headers=headers)
            assert await response.read(LIMIT) == b"{}"
        assert (await upstream.check()).ok
        upstream.close()
        plain, own, check = server.requests
        prefix = base_path.removesuffix("/v1").encode()
        for request, method, path in (
            (plain, b"POST", b"/v1/messages"),
            (own, b"POST", b"/v1/messages"),
            (check, b"GET", b"/v1/models"),
        ):
            assert request.startswith(b"%b %b%b HTTP/1.1\r\n" % (method, prefix, path))
            assert header(request, b"x-api-key") == [b"sk-one"]
            assert header(request, b"x-team") == [b"blue"]
            assert header(request, b"authorization") == []
        assert header(plain, b"anthropic-version") == [b"2023-06-01"]
        assert header(plain, b"anthropic-beta") == [b"context-1m, tools-x"]
        assert header(own, b"anthropic-version") == [b"2024-01-01"]
        assert header(own, b"anthropic-beta") == [b"context-1m,tools-x,fine"]


@pytest.mark.parametrize(
    ("base_path", "prefix"),
    [("", "/v1beta"), ("/v1beta", "/v1beta"), ("/v1", "/v1"), ("/proxy/", "/proxy/v1beta"), ("/proxy/v1", "/proxy/v1")],
)
async def test_gemini_upstream_shows_its_key_below_a_version(base_path: str, prefix: str) -> None:
    async with serving(answering(sized(b"{}"))) as server:
        upstream = GeminiUpstream(endpoint("test", f"http://127.0.0.1:{server.port}{base_path}"), key_pool("AIza-one"))
        path = "/models/m:streamGenerateContent?alt=sse"
        response = await upstream.open(path, b"{}", stream=True, request_id="req_7")
        assert await response.read(LIMIT) == b"{}"
        assert (await upstream.check()).ok
        upstream.close()
        asked, check = server.requests
        assert asked.startswith(f"POST {prefix}{path} HTTP/1.1\r\n".encode())
        assert check.startswith(f"GET {prefix}/models HTTP/1.1\r\n".encode())
        for request in (asked, check):
            assert b"\r\nx-goog-api-key: AIza-one\r\n" in request
            assert b"authorization" not in request.lower()


async def test_a_callers_header_that_could_split_the_request_never_reaches_the_wire() -> None:
    async with serving(answering(sized(b"{}"))) as server:
        upstream = OpenAIUpstream(local(server.port), key_pool("sk-one"))
        with pytest.raises(Exception, match="x-y"):
            await upstream.open("/a", b"{}", stream=False, request_id="r", headers=(("x-y", "1\r\nx: y"),))
        await (await upstream.open("/a", b"{}", stream=False, request_id="ok")).read(LIMIT)
        assert len(server.requests) == 1
        upstream.close()
