"""An OpenTelemetry collector for tests: takes traces by OTLP over HTTP on loopback and keeps the spans."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scripts._lib.ports import free_port


@dataclass(frozen=True)
class Span:
    """A span as it was sent: ids in hex, `parent` empty for a trace's first."""

    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    facts: dict[str, Any]


@dataclass
class Collector:
    """What was received: spans, and the raw bodies to search."""

    port: int
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    status: int = 200

    @property
    def url(self) -> str:
        """What RESELLER_KIT_OTLP_URL names."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, body: bytes) -> None:
        """One delivery."""
        assert path == "/v1/traces"
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += [_span(span) for span in scope.spans]

    def of_request(self, request_id: str) -> list[Span]:
        """The whole trace of one request."""
        roots = [span for span in self.spans if span.facts.get("reseller_kit.request_id") == request_id]
        return [span for span in self.spans if roots and span.trace == roots[0].trace]


def _span(span: Any) -> Span:
    facts = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        failed=span.status.code == 2,
        facts=facts,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.status == 200:
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", collector.port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
