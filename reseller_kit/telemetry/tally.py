"""Counters and histograms that a call may move for a tenth of a microsecond. The registry asks them when it is asked.

Only the event loop's thread moves them; any thread may read them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Counter:
    """A figure that only rises."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Count `amount` more, which is not negative."""
        self.value += amount


class Histogram:
    """How often a figure was how large. `bounds`: the upper ends of all buckets but the last, which has none."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds: Final = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def observe(self, value: float) -> None:
        """Count one more figure."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counters(Collector):
    """A family of counters, by their label values."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._series: dict[tuple[str, ...], Counter] = {}

    def make(self, values: tuple[str, ...]) -> Counter:
        """The counter of these values."""
        return self._series.setdefault(values, Counter())

    def collect(self) -> Iterator[Metric]:
        """The family as it is now."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, counter in list(self._series.items()):
            family.add_metric(values, counter.value)
        yield family


class Histograms(Collector):
    """A family of histograms, by their label values."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._bounds = [float(bound) for bound in bounds]
        self._ends = [*map(str, self._bounds), "+Inf"]
        self._series: dict[tuple[str, ...], Histogram] = {}

    def make(self, values: tuple[str, ...]) -> Histogram:
        """The histogram of these values."""
        return self._series.setdefault(values, Histogram(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """The family as it is now, each bucket with what smaller ones hold."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, histogram in list(self._series.items()):
            family.add_metric(values, list(_risen(self._ends, histogram.counts)), histogram.total)
        yield family


def _risen(ends: Sequence[str], counts: Sequence[int]) -> Iterator[tuple[str, float]]:
    so_far = 0
    for end, count in zip(ends, counts, strict=True):
        so_far += count
        yield end, so_far
