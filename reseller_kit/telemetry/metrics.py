"""The process's Prometheus metrics, in a registry of its own. Labels are bounded: never a key or a customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import Metric

from .series import MOST_SERIES, Book, Family
from .tally import Counter, Histogram
from .workers import Workers

_CALL_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_PAGE_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_BATCH_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_MOST_KNOWN: Final = 10_000
"""Combinations of what calls move that are looked up once; the series themselves are bounded by their families."""
_LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)

# Twice as many series otherwise, each of which says when the process began.
disable_created_metrics()  # type: ignore[no-untyped-call]


class CallSeries(Struct, frozen=True, eq=False):
    """What settled calls of one tenant, model, outcome and upstream move. `seconds`, `first_byte`: of an upstream."""

    settled: Counter
    calls: Counter
    read: Counter
    written: Counter
    retail: Counter
    wholesale: Counter
    cost: Counter
    seconds: Histogram | None
    first_byte: Histogram | None

    def count(
        self, *, ms: int, first_byte_ms: int | None, read: int, written: int, retail: int, wholesale: int, cost: int
    ) -> None:
        """One more: its times, its tokens, and what it came to in nano-USD."""
        self.settled.value += 1
        self.calls.value += 1
        self.read.value += read
        self.written.value += written
        self.retail.value += retail
        self.wholesale.value += wholesale
        self.cost.value += cost
        if self.seconds is not None:
            self.seconds.observe(ms / 1000)
        if self.first_byte is not None and first_byte_ms is not None:
            self.first_byte.observe(first_byte_ms / 1000)


class Metrics:
    """Counters and gauges of one process; with `workers`, those of its siblings are rendered with them."""

    def __init__(self, workers: Workers | None = None, *, most_series: int = MOST_SERIES) -> None:
        self.registry = CollectorRegistry()
        self._workers = workers
        self._calls: dict[tuple[str, str, str, str | None], CallSeries] = {}
        self._book = book = Book(self.registry, most_series)
        ProcessCollector(registry=self.registry)
        self._add_calls(book)
        self._add_upstreams(book)
        self._add_ledger(book)
        self._add_process(book)
        self._add_backlog(book)

    def _add_calls(self, book: Book) -> None:
        self.http_requests = book.counters(
            "http_requests",
            "Answered requests, by what they came to (api, management, webhook, pages, platform, infra) and by class"
            " of status.",
            ("surface", "code"),
        )
        self.http_seconds = book.histograms(
            "http_request_duration_seconds", "Time until a request's last byte.", ("surface",), _PAGE_BUCKETS
        )
        self.calls = book.counters(
            "calls",
            "API calls that reached the hold, by how they ended: ok, cut, failed, refused.",
            ("tenant", "model", "outcome"),
        )
        self.refusals = book.counters(
            "refusals", "API calls refused before the hold was placed, by error code.", ("tenant", "code")
        )
        self.call_seconds = book.histograms(
            "call_duration_seconds", "Time of an API call from its arrival to its settle.", ("upstream",), _CALL_BUCKETS
        )
        self.first_byte_seconds = book.histograms(
            "call_first_byte_seconds", "Time of an API call to its first content.", ("upstream",), _CALL_BUCKETS
        )
        self.tokens = book.counters("tokens", "Tokens that were charged: input or output.", ("tenant", "direction"))
        self.charged = book.counters(
            "charged_nano_usd",
            "What calls came to: retail (the customer's), wholesale (the reseller's), cost (the operator's).",
            ("tenant", "level"),
        )
        self.open_calls = book.gauge("open_calls", "Calls under way, with what waits for room.")
        self.open_streams = book.gauge("open_streams", "Streams being answered: what to scale out by.")

    def _add_upstreams(self, book: Book) -> None:
        self.attempts = book.counters("attempts", "Requests to upstreams, by how they went.", ("upstream", "outcome"))
        self.retries_denied = book.counter("retries_denied", "Retries that the budget did not allow.")
        self.circuits = book.gauges(
            "circuit_open",
            "Whether the circuit of an upstream and its model is open: 1, else 0.",
            ("upstream", "model"),
            across="max",
        )
        self.upstream_keys = book.gauges(
            "upstream_keys",
            "API keys of upstreams by state: ok, cooling, parked.",
            ("upstream", "state"),
            across="max",
        )
        self.upstream_key_events = book.counters(
            "upstream_key_events",
            "What this process saw keys of upstreams go through: parked, cooling, well again.",
            ("upstream", "event"),
        )
        self.conversations = book.counters(
            "conversations",
            "Calls with a choice of endpoints, by whether the conversation went on where it was: same, moved, new.",
            ("outcome",),
        )
        self.cached_tokens = book.counters(
            "cached_tokens", "Input tokens that upstreams read from a cache.", ("upstream",)
        )
        self.cache_saved = book.counters(
            "cache_saved_nano_usd",
            "What cached input saved at cost: tokens times the difference of the two prices.",
            ("upstream",),
        )

    def _add_ledger(self, book: Book) -> None:
        self.holds = book.counters("holds", "Holds that were asked for: placed, refused, failed.", ("outcome",))
        self.settles = book.counters("settles", "Settles: settled, lost (to a sweep), failed.", ("outcome",))
        # From the start, so that the first one of each is an increase.
        for outcome in ("placed", "refused", "failed"):
            self.holds.labels(outcome)
        for outcome in ("settled", "lost", "failed"):
            self.settles.labels(outcome)
        self.placed = self.holds.labels("placed")
        self.settle_retries = book.counter("settle_retries", "Settles that had to be tried again.")
        self.unsettled = book.gauge("unsettled_calls", "Calls whose settle the database does not take yet.")
        self.batch_seconds = book.histogram(
            "ledger_batch_duration_seconds", "Time of one commit of the ledger, durable.", _BATCH_BUCKETS
        )
        self.batch_items = book.histogram(
            "ledger_batch_items", "Holds, settles and the like in one commit of the ledger.", _SIZE_BUCKETS
        )
        self.ledger_waiting = book.gauge("ledger_waiting_items", "Items that wait for the ledger's next commit.")
        self.lease_losses = book.counter(
            "lease_losses", "Times that this process was taken for dead, and its calls were ended."
        )
        self.lease_age = book.gauge(
            "lease_age_seconds", "Time since this process renewed its lease, which is valid for three seconds.", "max"
        )

    def _add_process(self, book: Book) -> None:
        self.build = book.gauges("build_info", "1, with the version that runs.", ("version",), across="max")
        self.loop_lag = book.histogram(
            "event_loop_lag_seconds", "How late the event loop wakes up, measured four times a second.", _LAG_BUCKETS
        )
        self.database_connections = book.gauges(
            "database_connections",
            "Connections of the pools: busy, idle; and most, which they may grow to.",
            ("state",),
        )
        self.shared_limits = book.gauge(
            "shared_limits",
            "1 while limits are counted together with the other processes, 0 while this one counts by itself.",
            "min",
        )
        self.limits_alone = book.counter(
            "limits_alone", "Times that limits were looked at by one process alone although they are to be shared."
        )

    def _add_backlog(self, book: Book) -> None:
        self.database_up = book.gauge(
            "database_up", "1 when the database answered the last look at what waits in it, else 0.", "asked"
        )
        self.backlog = book.gauges(
            "backlog",
            "What waits in the database: mails, deliveries (of payment providers), webhooks (to resellers' systems),"
            " orders (to be decided), holds (open for longer than a quarter of an hour).",
            ("queue",),
            across="asked",
        )
        self.backlog_age = book.gauges(
            "backlog_age_seconds",
            "How long the oldest of these waits; of webhooks: is overdue.",
            ("queue",),
            across="asked",
        )
        self.parked = book.gauges("parked", "What was given up: mails, deliveries.", ("queue",), across="asked")
        self.wholesale_low = book.gauges(
            "wholesale_low",
            "Resellers whose balance is below their lowest threshold that they are told of: 1.",
            ("tenant",),
            across="asked",
        )

    @property
    def families(self) -> Iterable[Family]:
        """Every family, as the reference lists them."""
        return self._book.families.values()

    def settled_calls(self, tenant: str, model: str, outcome: str, upstream: str | None) -> CallSeries:
        """The series that a settled call moves, looked up once. `upstream` None: it reached none."""
        key = (tenant, model, outcome, upstream)
        found = self._calls.get(key)
        if found is None:
            if len(self._calls) >= _MOST_KNOWN:
                self._calls.clear()
            tokens, charged = self.tokens.labels, self.charged.labels
            found = self._calls[key] = CallSeries(
                settled=self.settles.labels("settled"),
                calls=self.calls.labels(tenant, model, outcome),
                read=tokens(tenant, "input"),
                written=tokens(tenant, "output"),
                retail=charged(tenant, "retail"),
                wholesale=charged(tenant, "wholesale"),
                cost=charged(tenant, "cost"),
                seconds=None if upstream is None else self.call_seconds.labels(upstream),
                first_byte=None if upstream is None else self.first_byte_seconds.labels(upstream),
            )
        return found

    def count_conversation(self, outcome: str) -> None:
        """One more call with a choice of endpoints: its conversation is new, went on where it was, or moved."""
        self.conversations.labels(outcome).value += 1

    def count_cached(self, upstream: str, tokens: int, saved_nano: int) -> None:
        """Input that this upstream read from its cache, and what that saved."""
        self.cached_tokens.labels(upstream).inc(tokens)
        self.cache_saved.labels(upstream).inc(saved_nano)

    def count_batch(self, items: int, seconds: float) -> None:
        """One more commit of the ledger."""
        self.batch_seconds.observe(seconds)
        self.batch_items.observe(items)

    def publish(self) -> None:
        """Let the other workers know; nothing where there are none."""
        if self._workers is not None:
            self._workers.publish(self.registry)

    def render(self) -> bytes:
        """The text exposition format."""
        if self._workers is None:
            return generate_latest(self.registry)
        self._workers.publish(self.registry)
        together = _Collected(self._workers.collect(self._book.families))
        return generate_latest(cast("CollectorRegistry", together))


class _Collected:
    """What is rendered in place of a registry."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
