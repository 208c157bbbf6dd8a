"""The process's Prometheus metrics, in a registry of its own. Labels are bounded: never a key or a customer."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "reseller_kit_calls",
            "API calls that reached the hold, by tenant and status.",
            ("tenant", "status"),
            registry=self.registry,
        )
        self.refusals = Counter(
            "reseller_kit_refusals",
            "API calls refused before the hold was placed, by tenant and error code.",
            ("tenant", "code"),
            registry=self.registry,
        )
        self.open_calls = Gauge("reseller_kit_open_calls", "Calls under way in this process.", registry=self.registry)
        self.settle_retries = Counter(
            "reseller_kit_settle_retries", "Settles that had to be tried again.", registry=self.registry
        )
        self._add_limits()
        self.upstream_keys = Gauge(
            "reseller_kit_upstream_keys",
            "API keys of upstreams by state, as this process knows them.",
            ("upstream", "state"),
            registry=self.registry,
        )
        self.upstream_key_events = Counter(
            "reseller_kit_upstream_key_events",
            "What this process saw keys of upstreams go through: parked, cooling, well again.",
            ("upstream", "event"),
            registry=self.registry,
        )
        self.circuits = Gauge(
            "reseller_kit_circuit_open",
            "Whether the circuit of an upstream and its model is open: 1, else 0.",
            ("upstream", "model"),
            registry=self.registry,
        )
        self.attempts = Counter(
            "reseller_kit_attempts",
            "Requests to upstreams, by upstream and how they went.",
            ("upstream", "outcome"),
            registry=self.registry,
        )
        self.retries_denied = Counter(
            "reseller_kit_retries_denied", "Retries that the budget did not allow.", registry=self.registry
        )
        self.conversations = Counter(
            "reseller_kit_conversations",
            "Calls with a choice of endpoints, by whether the conversation went on where it was: same, moved, new.",
            ("outcome",),
            registry=self.registry,
        )
        self.cached_tokens = Counter(
            "reseller_kit_cached_tokens",
            "Input tokens that upstreams read from a cache.",
            ("upstream",),
            registry=self.registry,
        )
        self.cache_saved = Counter(
            "reseller_kit_cache_saved_nano_usd",
            "What cached input saved at cost: tokens times the difference of the two prices.",
            ("upstream",),
            registry=self.registry,
        )

        self._conversation_counters = {name: self.conversations.labels(name) for name in ("same", "moved", "new")}
        self._attempt_counters: dict[tuple[str, str], Counter] = {}
        self._call_counters: dict[tuple[str, str], Counter] = {}

    def _add_limits(self) -> None:
        self.shared_limits = Gauge(
            "reseller_kit_shared_limits",
            "1 while limits are counted together with the other processes, 0 while this one counts by itself.",
            registry=self.registry,
        )
        self.limits_alone = Counter(
            "reseller_kit_limits_alone",
            "Times that limits were looked at by one process alone although they are to be shared.",
            registry=self.registry,
        )

    def count_call(self, tenant: str, status: str) -> None:
        """One more call of this tenant that ended so."""
        counter = self._call_counters.get((tenant, status))
        if counter is None:
            counter = self._call_counters[tenant, status] = self.calls.labels(tenant, status)
        counter.inc()

    def count_attempt(self, upstream: str, outcome: str) -> None:
        """One more request to this upstream that went so."""
        counter = self._attempt_counters.get((upstream, outcome))
        if counter is None:
            counter = self._attempt_counters[upstream, outcome] = self.attempts.labels(upstream, outcome)
        counter.inc()

    def count_conversation(self, outcome: str) -> None:
        """One more call with a choice of endpoints: its conversation is new, went on where it was, or moved."""
        self._conversation_counters[outcome].inc()

    def count_cached(self, upstream: str, tokens: int, saved_nano: int) -> None:
        """Input that this upstream read from its cache, and what that saved."""
        self.cached_tokens.labels(upstream).inc(tokens)
        self.cache_saved.labels(upstream).inc(saved_nano)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
