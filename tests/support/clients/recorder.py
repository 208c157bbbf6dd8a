"""A loopback upstream that writes down whatever a client sends, and answers well or refuses as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.clients import canned
from tests.support.clients.canned import Event, Reply


@dataclass(frozen=True)
class Recorded:
    """One request as it came in. Header names are lower case; `seconds` is since the recorder was told what to do."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The decoded body, None when there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def asks_model(self) -> bool:
        """Whether the request would cost something: neither a list, nor a count, nor a probe."""
        return self.method == "POST" and self.path.endswith(
            ("/chat/completions", "/responses", "/messages", ":generateContent", ":streamGenerateContent")
        )


@dataclass(frozen=True)
class Refusal:
    """How the model's endpoints refuse.

    `in_stream`: a stream begins well and then breaks with this, or is cut where there is no `code`.
    """

    status: int
    code: str
    message: str = "This is a refusal of the recorder."
    headers: Mapping[str, str] = field(default_factory=dict)
    in_stream: bool = False


class Recorder:
    """What came in so far, and what the next answers are."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Recorded] = []
        self.replies: list[Reply] = []
        self.refusal: Refusal | None = None
        self._began = time.monotonic()
        self._lock = threading.Lock()

    @property
    def origin(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def will(self, *replies: Reply, refusal: Refusal | None = None) -> None:
        """Forget what came in; say these in turn, then greet; or refuse always."""
        with self._lock:
            self.requests.clear()
            self.replies = list(replies)
            self.refusal = refusal
            self._began = time.monotonic()

    @property
    def asked(self) -> list[Recorded]:
        """The requests to a model."""
        return [request for request in self.requests if request.asks_model]

    def note(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Recorded:
        """Write a request down."""
        with self._lock:
            found = Recorded(method, target, headers, body, round(time.monotonic() - self._began, 3))
            self.requests.append(found)
            return found

    def reply(self) -> Reply:
        """What the model says next."""
        with self._lock:
            return self.replies.pop(0) if self.replies else Reply()


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder on a free loopback port."""
    recorder = Recorder()

    class Handler(_Handler):
        owner = recorder

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Recorder
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parent's name
        """Nothing: a test reads the record."""

    def do_HEAD(self) -> None:
        self._take()
        self._send(200, b"", {})

    def do_GET(self) -> None:
        request = self._take()
        if request.headers.get("upgrade", "").lower() == "websocket":
            self._send(426, b"", {"upgrade": "websocket"})
        elif request.path.rstrip("/").endswith("/models"):
            kind = "gemini" if "v1beta" in request.path else "anthropic" if _is_anthropic(request) else "chat"
            self._send_json(200, canned.models(kind))
        else:
            self._send(200, b"{}", {"content-type": "application/json"})

    def do_DELETE(self) -> None:
        self._take()
        self._send_json(200, {"deleted": True})

    def do_POST(self) -> None:
        request = self._take()
        if request.path.endswith(("/count_tokens", "/input_tokens", ":countTokens")):
            self._send_json(200, {"input_tokens": canned.INPUT_TOKENS, "totalTokens": canned.INPUT_TOKENS})
        elif request.asks_model:
            self._answer(request)
        else:
            self._send(200, b"{}", {"content-type": "application/json"})

    def _answer(self, request: Recorded) -> None:
        dialect = _dialect(request)
        refusal = self.owner.refusal
        streams = bool((request.json or {}).get("stream")) or "streamGenerateContent" in request.path
        if refusal is None:
            self._send_reply(dialect, self.owner.reply(), streams=streams)
        elif refusal.in_stream and not streams:
            # What Claude Code tries next: the same refusal as a status.
            body = canned.refusal(dialect, 529, refusal.code, refusal.message)
            self._send_json(529, body, {"x-should-retry": "false"})
        elif refusal.in_stream:
            events: list[Event] = canned.events(dialect, Reply())
            kept = {"gemini": 0, "anthropic": 3, "responses": 2, "chat": 1}[dialect]
            broken = events[:kept]
            if refusal.code:
                broken.append(canned.error_event(dialect, refusal.code, refusal.message))
            self._send(200, canned.encode(broken, done=False), {"content-type": "text/event-stream"})
        else:
            body = canned.refusal(dialect, refusal.status, refusal.code, refusal.message)
            self._send_json(refusal.status, body, refusal.headers)

    def _send_reply(self, dialect: str, reply: Reply, *, streams: bool) -> None:
        if streams:
            body = canned.encode(canned.events(dialect, reply), done=dialect == "chat")
            self._send(200, body, {"content-type": "text/event-stream"})
        else:
            self._send_json(200, canned.plain(dialect, reply))

    def _take(self) -> Recorded:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.owner.note(self.command, self.path, headers, _decoded(body, headers))

    def _chunks(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return b""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send_json(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(document).encode(), {"content-type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body)), "x-request-id": "req_recorder"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _dialect(request: Recorded) -> str:
    if request.path.endswith("/chat/completions"):
        return "chat"
    if request.path.endswith("/responses"):
        return "responses"
    return "anthropic" if request.path.endswith("/messages") else "gemini"


def _is_anthropic(request: Recorded) -> bool:
    return "anthropic-version" in request.headers


def _decoded(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body without its compression; Python knows no zstd before 3.14, so such a body stays as it is."""
    if headers.get("content-encoding") == "gzip":
        import gzip

        return gzip.decompress(body)
    return body
