"""Families of metrics with a bound on their series: what goes beyond it is counted under "other". Counts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, Literal, TypeVar

from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge

from .tally import Counter, Counters, Histogram, Histograms

PREFIX: Final = "reseller_kit_"
OTHER: Final = "other"
MOST_SERIES: Final = 2_000
"""Combinations of label values that one family keeps apart."""
MOST_HISTOGRAMS: Final = 200
"""Of a histogram, each of which is some fifteen series."""
OPEN_LABELS: Final = frozenset({"tenant", "model", "upstream"})
"""Labels whose values come from configuration; all others have values that the code lists."""

Across = Literal["sum", "max", "min", "asked"]
"""How workers' figures come to one; asked: that of the worker which answers, who has just looked."""
Kind = Literal["counter", "gauge", "histogram"]
M = TypeVar("M")


class Family(Struct, frozen=True, kw_only=True):
    """A family as the reference shows it. `across`: how the worker processes of one server come to one figure."""

    name: str
    """As it is exposed."""
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    across: Across = "sum"


class Series(Generic[M]):
    """The series of a family with labels, by their values, each of which `make` makes."""

    def __init__(self, make: Callable[[tuple[str, ...]], M], labels: Sequence[str], most: int) -> None:
        self._make, self._labels, self._most = make, tuple(labels), most
        self._known: dict[tuple[str, ...], M] = {}

    def labels(self, *values: str) -> M:
        """The series of these values, or the one that all share who came too late."""
        found = self._known.get(values)
        if found is None:
            found = self._new(values)
        return found

    def _new(self, values: tuple[str, ...]) -> M:
        if len(self._known) < self._most:
            found = self._known[values] = self._make(values)
            return found
        pairs = zip(self._labels, values, strict=True)
        return self._make(tuple(OTHER if name in OPEN_LABELS else value for name, value in pairs))


class Gauges(Series[Gauge]):
    """The gauges of a family with labels."""

    def __init__(self, metric: Gauge, labels: Sequence[str], most: int) -> None:
        super().__init__(lambda values: metric.labels(*values), labels, most)
        self._metric = metric

    def forget(self) -> None:
        """Drop every series: those that are still true are set again."""
        self._known.clear()
        self._metric.clear()


class Book:
    """Makes families in one registry and remembers what each is."""

    def __init__(self, registry: CollectorRegistry, most_series: int = MOST_SERIES) -> None:
        self._registry, self._most = registry, most_series
        self.families: dict[str, Family] = {}
        """By their name in the registry."""

    def counter(self, name: str, meaning: str) -> Counter:
        """A counter; `_total` is put behind its name."""
        return self.counters(name, meaning, ()).labels()

    def counters(self, name: str, meaning: str, labels: tuple[str, ...]) -> Series[Counter]:
        """A counter for each combination of label values."""
        self._note(name, "counter", meaning, labels)
        family = Counters(PREFIX + name, meaning, labels)
        self._registry.register(family)
        return Series(family.make, labels, self._most)

    def gauge(self, name: str, meaning: str, across: Across = "sum") -> Gauge:
        """A figure that goes up and down."""
        self._note(name, "gauge", meaning, across=across)
        return Gauge(PREFIX + name, meaning, registry=self._registry)

    def gauges(self, name: str, meaning: str, labels: tuple[str, ...], across: Across = "sum") -> Gauges:
        """Such a figure for each combination of label values."""
        self._note(name, "gauge", meaning, labels, across)
        return Gauges(Gauge(PREFIX + name, meaning, labels, registry=self._registry), labels, self._most)

    def histogram(self, name: str, meaning: str, buckets: Sequence[float]) -> Histogram:
        """How often a figure was how large."""
        return self.histograms(name, meaning, (), buckets).labels()

    def histograms(
        self, name: str, meaning: str, labels: tuple[str, ...], buckets: Sequence[float]
    ) -> Series[Histogram]:
        """The same for each combination of label values."""
        self._note(name, "histogram", meaning, labels)
        family = Histograms(PREFIX + name, meaning, labels, buckets)
        self._registry.register(family)
        return Series(family.make, labels, min(self._most, MOST_HISTOGRAMS))

    def _note(self, name: str, kind: Kind, meaning: str, labels: tuple[str, ...] = (), across: Across = "sum") -> None:
        shown = f"{PREFIX}{name}_total" if kind == "counter" else PREFIX + name
        self.families[PREFIX + name] = Family(name=shown, kind=kind, meaning=meaning, labels=labels, across=across)
