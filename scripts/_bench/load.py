"""The load: connections that send a number of calls, in turns or at a rate, and time each. Reports as one JSON line.

`python -m scripts._bench.load` with the fields of `Order` as JSON on standard input; bounded in calls and in time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from itertools import cycle
from math import inf
from typing import Final, cast

import httptools
import msgspec
import uvloop


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where, without a body by GET. `end`: what a good answer's last bytes hold.

    `limit_seconds` ends a run that hangs. Connections take turns with `key` and `more_keys`. Each sends its next call
    when the last byte of an answer has come, the first ones spread over `spread` seconds. With `rate` calls begin at so
    many a second whatever came back; one that finds all connections busy waits.
    `gaps`: the time between the pieces of an answer is kept too.
    """

    port: int
    path: str
    key: str = ""
    more_keys: tuple[str, ...] = ()
    body: bytes = b""
    end: bytes
    calls: int
    connections: int
    host: str = "127.0.0.1"
    headers: dict[str, str] = {}
    rate: float = 0.0
    spread: float = 0.0
    gaps: bool = False
    limit_seconds: float = 120.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, nothing unless told; latencies in milliseconds, to the first and the last byte of an answer."""

    calls: int = 0
    failed: int
    seconds: float = inf
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    first_byte_p50_ms: float = 0.0
    first_byte_p99_ms: float = 0.0
    gap_p50_ms: float = 0.0
    gap_p99_ms: float = 0.0
    bytes_per_call: float = 0.0
    fault: str


_KEPT_BYTES: Final = 4096
_SHOWN_BYTES: Final = 300


class _Run:
    """The state that all connections share."""

    def __init__(self, order: Order) -> None:
        more = "".join(f"{name}: {value}\r\n" for name, value in order.headers.items())
        if order.body:
            more += f"content-type: application/json\r\ncontent-length: {len(order.body)}\r\n"
        head = (
            f"{'POST' if order.body else 'GET'} {order.path} HTTP/1.1\r\nhost: {order.host}:{order.port}\r\n{more}"
            "accept: */*\r\nuser-agent: bench\r\n"
        )
        keys = [f"authorization: Bearer {key}\r\n" if key else "" for key in (order.key, *order.more_keys)]
        self.order = order
        self.requests = cycle([f"{head}{key}\r\n".encode() + order.body for key in keys])
        self.left = order.calls
        self.latencies: list[float] = []
        self.first_bytes: list[float] = []
        self.gaps: list[float] = []
        self.idle: list[_Connection] = []
        self.due: deque[float] = deque()
        self.failed = 0
        self.bytes = 0
        self.fault = ""
        self.open = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, fault: str) -> None:
        self.failed += 1
        self.fault = self.fault or fault

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)

    def next(self, connection: _Connection) -> None:
        """A connection is free: it sends what is to be sent, waits for it, or closes."""
        if self.due:
            connection.send(self.due.popleft())
        elif self.left <= 0:
            connection.close()
        elif self.order.rate:
            self.idle.append(connection)
        else:
            self.left -= 1
            connection.send(time.perf_counter())

    async def pace(self) -> None:
        """Let calls begin at the rate."""
        began = time.perf_counter()
        for number in range(self.order.calls):
            await asyncio.sleep(max(0.0, began + number / self.order.rate - time.perf_counter()))
            self.left -= 1
            if self.idle:
                self.idle.pop().send(time.perf_counter())
            else:
                self.due.append(time.perf_counter())
        for connection in self.idle:
            connection.close()


class _Connection(asyncio.Protocol):
    _transport: asyncio.Transport

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._request = next(run.requests)
        self._tail = b""
        self._waiting = False
        self._started = 0.0
        self._first = 0.0
        self._latest = 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._run.open += 1
        self._run.next(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.fail(f"connection lost: {exc}")
        self._run.closed()

    def data_received(self, data: bytes) -> None:
        if not self._first:
            self._first = self._latest = time.perf_counter()
        elif self._run.order.gaps:
            now = time.perf_counter()
            self._run.gaps.append(now - self._latest)
            self._latest = now
        self._run.bytes += len(data)
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._tail = data if len(data) > _KEPT_BYTES else self._tail[-_KEPT_BYTES:] + data

    def on_message_complete(self) -> None:
        run, now = self._run, time.perf_counter()
        self._waiting = False
        run.latencies.append(now - self._started)
        run.first_bytes.append(self._first - self._started)
        status = self._parser.get_status_code()
        if status != 200:
            run.fail(f"status {status}: {self._tail[:_SHOWN_BYTES]!r}")
        elif run.order.end not in self._tail:
            run.fail(f"the answer ended with {self._tail[-_SHOWN_BYTES:]!r}")
        run.next(self)

    def send(self, due: float) -> None:
        """Send a call that was to be sent at this moment."""
        self._waiting, self._first, self._tail = True, 0.0, b""
        self._started = due
        self._transport.write(self._request)

    def close(self) -> None:
        """There is nothing more to send."""
        self._transport.close()


async def measure(order: Order) -> Report:
    """Send the calls. Raises OSError when the server can't be reached, TimeoutError when the limit passes."""
    loop = asyncio.get_running_loop()
    run = _Run(order)
    started = time.perf_counter()
    connections = min(order.connections, order.calls)
    async with asyncio.timeout(order.limit_seconds):
        for number in range(connections):
            await asyncio.sleep(max(0.0, started + number * order.spread / connections - time.perf_counter()))
            await loop.create_connection(lambda: _Connection(run), order.host, order.port)
        if order.rate:
            await run.pace()
        await run.done
    seconds = time.perf_counter() - started
    return Report(
        calls=len(run.latencies),
        failed=run.failed + order.calls - len(run.latencies),
        seconds=seconds,
        p50_ms=_percentile(run.latencies, 0.50),
        p99_ms=_percentile(run.latencies, 0.99),
        first_byte_p50_ms=_percentile(run.first_bytes, 0.50),
        first_byte_p99_ms=_percentile(run.first_bytes, 0.99),
        gap_p50_ms=_percentile(run.gaps, 0.50),
        gap_p99_ms=_percentile(run.gaps, 0.99),
        bytes_per_call=run.bytes / max(1, len(run.latencies)),
        fault=run.fault,
    )


def _percentile(seconds: list[float], share: float) -> float:
    if not seconds:
        return 0.0
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] * 1000


def main() -> None:
    """Read the order, do it, print the report."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(measure(order))
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    main()
