"""Traces for an OpenTelemetry collector, by OTLP over HTTP. Imported only where one is configured; never waits for it.

Spans are handed over in batches by a thread of its own. What the collector does not take in time is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from .steps import UNTRACED, Fact, Step, T

_PATH: Final = "/v1/traces"
_PREFIX: Final = "reseller_kit."
_SECONDS: Final = 5
_FLUSH_MS: Final = 2_000
_WELL: Final = frozenset({"ok", "left", "refused", "rejected", "not made", "cut"})
"""Outcomes that are nobody's fault here."""

Parent = tuple[str, str, bool]
"""Trace id, span id and whether it is sampled, of whoever asked."""


class Traces:
    """Where traces begin. `ratio`: the share of requests that are traced, unless whoever asked has decided."""

    def __init__(self, url: str, ratio: float, version: str) -> None:
        # The exporter tells of each failure, with its URL and the whole traceback; ours is one line a minute at most.
        for name in ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": "reseller-kit", "service.version": version})
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=traces_url(url), timeout=_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Tracer = self._provider.get_tracer("reseller_kit")  # type: ignore[assignment]

    def begin(self, name: str, parent: Parent | None) -> Step:
        """The step of a request; one that does nothing when it is not sampled."""
        context = None if parent is None else api.set_span_in_context(NonRecordingSpan(_context_of(parent)))
        span = self._tracer.start_span(name, context or Context(), kind=SpanKind.SERVER)
        return _Traced(self._tracer, span) if span.is_recording() else UNTRACED

    def close(self) -> None:
        """Hand over what is left, for two seconds at most. Blocks."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()


class _Traced(Step):
    """A step that somebody collects."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer, self._span = tracer, span

    def child(self, name: str, **facts: Fact | None) -> Step:
        kind = SpanKind.CLIENT if name == "upstream" else SpanKind.INTERNAL
        step = _Traced(
            self._tracer, self._tracer.start_span(name, api.set_span_in_context(self._span, Context()), kind=kind)
        )
        step.tell(**facts)
        return step

    async def around(self, name: str, work: Awaitable[T], **facts: Fact | None) -> T:
        with self.child(name, **facts):
            return await work

    def tell(self, **facts: Fact | None) -> None:
        for name, value in facts.items():
            if name == "name":
                self._span.update_name(str(value))
            elif value not in {None, ""}:
                self._span.set_attribute(_PREFIX + name, value)

    def end(self, outcome: str = "ok") -> None:
        self._span.set_attribute(_PREFIX + "outcome", outcome)
        if outcome not in _WELL:
            self._span.set_status(Status(StatusCode.ERROR, outcome))
        self._span.end()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.end("ok" if error is None else type(error).__name__)


def traces_url(url: str) -> str:
    """Where traces go: the URL itself, or the usual path below it where it names none."""
    parts = urlsplit(url)
    return url if parts.path.strip("/") else parts._replace(path=_PATH).geturl()


def _context_of(parent: Parent) -> SpanContext:
    trace, span, sampled = parent
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=flags)
