"""Our counters and histograms are exposed byte for byte as those of prometheus_client."""

from __future__ import annotations

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from reseller_kit.telemetry import tally
from reseller_kit.telemetry.metrics import Metrics

BOUNDS = (0.005, 0.1, 1, 2.5, 30)
names = st.sampled_from(["brook", 'qu"ote', "back\\slash", "new\nline", ""])
amounts = st.integers(0, 10**18) | st.floats(0, 1e9)
figures = st.sampled_from(BOUNDS) | st.floats(0, 100)


@given(st.lists(st.tuples(names, amounts), max_size=20))
def test_counters_read_as_the_library_writes_them(moves: list[tuple[str, float]]) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    reference = prometheus_client.Counter("calls", "What came.", ["tenant"], registry=theirs)
    family = tally.Counters("calls", "What came.", ["tenant"])
    ours.register(family)
    for name, amount in moves:
        # The library adds floats; so that both round alike, ours gets them too.
        reference.labels(name).inc(float(amount))
        family.make((name,)).inc(float(amount))
    assert generate_latest(ours) == generate_latest(theirs)


@given(st.lists(st.tuples(names, figures), max_size=20))
def test_histograms_read_as_the_library_writes_them(seen: list[tuple[str, float]]) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    reference = prometheus_client.Histogram("took", "How long.", ["tenant"], registry=theirs, buckets=BOUNDS)
    family = tally.Histograms("took", "How long.", ["tenant"], BOUNDS)
    ours.register(family)
    for name, figure in seen:
        reference.labels(name).observe(figure)
        family.make((name,)).observe(figure)
    assert generate_latest(ours) == generate_latest(theirs)


def test_whole_amounts_stay_exact_beyond_what_a_float_holds() -> None:
    charged = Metrics().charged.labels("brook", "retail")
    for amount in (2**53, 1, 1):
        charged.inc(amount)
    assert charged.value == 2**53 + 2
