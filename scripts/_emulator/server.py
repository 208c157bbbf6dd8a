"""One connection of the emulator: reads requests, sends answers or the faults that were asked for."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

import httptools
import msgspec

from scripts._emulator import answers
from scripts._emulator.directives import BadRequest, ChatRequest, Counts, Directives, count, decode, directives_of
from scripts._emulator.journal import Journal, Line, clock, now

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
DRIP_BYTES: Final = 16
_KEPT_HEADERS: Final = frozenset({"accept", "content-type", "user-agent", "accept-encoding"})
_ORDINARY: Final = Directives()
_ABOUT: Final = (
    b"This is an emulator of OpenAI's chat API for demonstrations, tests and load runs. "
    b"It answers on loopback, knows nothing and costs nothing. See scripts/emulator --help.\n"
)


@dataclass(frozen=True)
class Options:
    """How this emulator behaves."""

    name: str
    models: tuple[str, ...]
    api_keys: frozenset[str]
    always: Directives
    timeline: bool = False


@dataclass
class Request:
    """A request that has come in whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Plan:
    """An answer to send: pieces with the deltas in each, and how it ends."""

    line: Line
    pieces: list[tuple[bytes, int]]
    directives: Directives = _ORDINARY
    reset: bool = False
    close: bool = False
    started: float = 0.0
    counted_events: int = 0
    silent_before: int = 0


class Emulator(asyncio.Protocol):
    """Serves the requests of one connection in order."""

    _transport: asyncio.Transport

    def __init__(self, options: Options, journal: Journal) -> None:
        self._options = options
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._waiting: deque[Request] = deque()
        self._running: Plan | None = None
        self._steps: Iterator[float] = iter(())
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The caller connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why is all the same here
        """The caller is gone: an answer that was running is taken down as unfinished."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            self._take_down(self._running, finished=False)
            self._running = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(answers.head(400, "text/plain", "", length=0, extra="connection: close\r\n"))
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        """Parser: (a part of) the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Parser: the head is whole."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Parser: a part of the body."""
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise ValueError("body too large")
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        method = self._parser.get_method().decode("ascii")
        request = Request(method, self._target.decode("latin-1"), self._headers, b"".join(self._body))
        self._target, self._headers, self._body, self._size = b"", {}, [], 0
        self._waiting.append(request)
        if self._running is None:
            self._next()

    def _next(self) -> None:
        while self._waiting and self._running is None and not self._transport.is_closing():
            plan = _plan(self._waiting.popleft(), self._options, self._journal)
            self._running = plan
            self._steps = self._play(plan)
            self._step()

    def _step(self) -> None:
        self._timer = None
        for seconds in self._steps:
            if seconds:
                self._timer = self._loop.call_later(seconds, self._resume)
                return
        if self._running is not None:
            plan, self._running = self._running, None
            self._take_down(plan, finished=not (plan.reset or plan.close))

    def _resume(self) -> None:
        self._step()
        self._next()

    def _play(self, plan: Plan) -> Iterator[float]:
        """Send an answer; yields how long to wait before going on."""
        directives = plan.directives
        yield directives.delay
        pace = directives.pace_seconds or (0.0 if plan.line.stream else directives.drip)
        if pace:
            for position, (piece, deltas) in enumerate(plan.pieces):
                if position > 1:
                    yield pace
                if position == plan.silent_before:
                    yield directives.silence
                self._transport.write(piece)
                self._note(plan, position, deltas)
        elif plan.pieces:
            self._transport.write(b"".join([piece for piece, _ in plan.pieces]))
            for position, (_, deltas) in enumerate(plan.pieces):
                self._note(plan, position, deltas)
        if plan.reset:
            # What was written has to leave before the connection breaks.
            yield 0.01 if plan.pieces else 0.0
            self._reset()
        elif plan.close:
            self._transport.close()

    def _reset(self) -> None:
        """Break the connection so that the caller sees a reset, not an orderly end."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()

    def _note(self, plan: Plan, position: int, deltas: int) -> None:
        if plan.line.stream and 0 < position <= plan.counted_events:
            plan.line.events += 1
        plan.line.delivered_tokens += deltas
        if deltas and plan.line.timeline is not msgspec.UNSET:
            plan.line.timeline.append(time.time())

    def _take_down(self, plan: Plan, *, finished: bool) -> None:
        plan.line.finished = finished
        plan.line.seconds = round(clock() - plan.started, 6)
        if not finished:
            plan.line.usage = None if plan.line.stream else plan.line.usage
        if plan.line.path.startswith("/v1"):
            self._journal.add(plan.line)


def _plan(request: Request, options: Options, journal: Journal) -> Plan:
    started = clock()
    url = urlsplit(request.target)
    line = _line(request, url.path, options)
    try:
        plan = _route(request, url.path, url.query, line, options, journal)
    except BadRequest as error:
        plan = _refusal(line, 400, answers.error_body(400, str(error), param=error.param))
    plan.started = started
    return plan


def _route(request: Request, path: str, query: str, line: Line, options: Options, journal: Journal) -> Plan:
    if path in ("/", "/healthz"):
        return _document(line, _ABOUT, "text/plain; charset=utf-8")
    if path == "/journal":
        return _document(line, journal.select(dict(parse_qsl(query))), "application/x-ndjson")
    key = _bearer(request)
    if not key or (options.api_keys and key not in options.api_keys):
        return _refusal(line, 401, answers.error_body(401))
    if request.method == "GET" and path == "/v1/models":
        return _document(line, answers.models(options.models), "application/json")
    if request.method == "GET" and path.startswith("/v1/models/"):
        return _one_model(line, path.removeprefix("/v1/models/"), options)
    if path != "/v1/chat/completions":
        message = f"Invalid URL ({request.method} {path})"
        return _refusal(line, 404, answers.error_body(404, message))
    if request.method != "POST":
        message = f"Not allowed to {request.method} on {path} (HINT: Perhaps you meant to use POST?)"
        return _refusal(line, 405, answers.error_body(405, message, code="method_not_supported"))
    return _chat(request, line, options)


def _chat(http: Request, line: Line, options: Options) -> Plan:
    request = decode(http.body)
    line.model, line.stream, line.max_tokens = request.model, bool(request.stream), request.limit
    line.include_usage = request.stream_options is not None and request.stream_options.include_usage
    if options.models != answers.DEFAULT_MODELS and request.model not in options.models:
        return _refusal(line, 404, _unknown_model(request.model))
    directives = directives_of(request, options.always)
    line.fault = directives.fault
    if directives.reset:
        return Plan(line, [], directives, reset=True)
    if directives.status is not None:
        plan = _refusal(line, directives.status, answers.error_body(directives.status), directives.retry_after)
        plan.directives = directives
        return plan
    counts = count(request, directives)
    line.status, line.served_model = 200, answers.dated(request.model)
    line.true_usage = answers.usage_object(counts, request.n or 1)
    if options.timeline:
        line.timeline = []
    if request.stream:
        return _stream(request, directives, counts, line)
    return _plain(request, directives, counts, line)


def _plain(request: ChatRequest, directives: Directives, counts: Counts, line: Line) -> Plan:
    error = directives.error is not None
    body = answers.error_body(500) if error else answers.completion(request, directives, counts)
    head = answers.head(200, "application/json", line.request_id, length=len(body))
    if directives.reset_after:
        return Plan(line, [(head, 0)], directives, reset=True)
    if directives.cut is not None:
        return Plan(line, [(head, 0), (body[: directives.cut], 0)], directives, close=True)
    pieces = [body] if not directives.drip else [body[n : n + DRIP_BYTES] for n in range(0, len(body), DRIP_BYTES)]
    if not error:
        line.delivered_tokens = counts.visible * (request.n or 1)
        if not directives.no_usage:
            line.usage = answers.usage_object(counts, request.n or 1, directives)
    return Plan(line, [(head, 0), *((piece, 0) for piece in pieces)], directives)


def _stream(request: ChatRequest, directives: Directives, counts: Counts, line: Line) -> Plan:
    head = answers.head(200, "text/event-stream; charset=utf-8", line.request_id, length=None)
    if directives.reset_after:
        return Plan(line, [(head, 0)], directives, reset=True)
    events = answers.events(request, directives, counts)
    pieces = [(head, 0)] + [(answers.chunk(event), deltas) for event, deltas in events]
    if directives.error is not None:
        pieces = [*pieces[: directives.error + 1], (answers.chunk(b"data: " + answers.error_body(500) + b"\n\n"), 0)]
    elif directives.cut is not None:
        pieces = pieces[: directives.cut + 1]
        return Plan(line, pieces, directives, close=True, counted_events=len(pieces))
    elif line.include_usage and not directives.no_usage:
        line.usage = answers.usage_object(counts, request.n or 1, directives)
    # The deltas, then what follows them: the finish of the last choice, usage, the end.
    last_delta = max((position for position, (_, deltas) in enumerate(pieces) if deltas), default=0)
    plan = Plan(line, [*pieces, (b"0\r\n\r\n", 0)], directives, counted_events=len(pieces) - 1)
    plan.silent_before = last_delta + 1 if directives.silence else 0
    return plan


def _document(line: Line, body: bytes, content_type: str) -> Plan:
    line.status = 200
    return Plan(line, [(answers.head(200, content_type, line.request_id, length=len(body)), 0), (body, 0)])


def _refusal(line: Line, status: int, body: bytes, retry_after: int | None = None) -> Plan:
    line.status = status
    extra = "" if retry_after is None else f"retry-after: {retry_after}\r\n"
    return Plan(
        line,
        [(answers.head(status, "application/json", line.request_id, length=len(body), extra=extra), 0), (body, 0)],
    )


def _one_model(line: Line, name: str, options: Options) -> Plan:
    if name not in options.models:
        return _refusal(line, 404, _unknown_model(name))
    return _document(line, msgspec.json.encode(answers.model_object(name)), "application/json")


def _unknown_model(name: str) -> bytes:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return answers.error_body(404, message, code="model_not_found")


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip()


def _line(request: Request, path: str, options: Options) -> Line:
    kept: dict[str, Any] = {name: value for name, value in request.headers.items() if name in _KEPT_HEADERS}
    key = _bearer(request)
    return Line(
        time=now(),
        name=options.name,
        request_id=answers.new_id("req_", 32),
        client_request_id=request.headers.get("x-client-request-id", ""),
        method=request.method,
        path=path,
        headers=kept,
        key="sha256:" + hashlib.sha256(key.encode()).hexdigest()[:12] if key else "",
    )
