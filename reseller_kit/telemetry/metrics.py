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
        self._call_counters: dict[tuple[str, str], Counter] = {}

    def count_call(self, tenant: str, status: str) -> None:
        """One more call of this tenant that ended so."""
        counter = self._call_counters.get((tenant, status))
        if counter is None:
            counter = self._call_counters[tenant, status] = self.calls.labels(tenant, status)
        counter.inc()

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
