"""Figures are bounded, named by conventions, and those of all workers come to one."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from reseller_kit.telemetry.metrics import Metrics
from reseller_kit.telemetry.series import OPEN_LABELS, OTHER, PREFIX
from reseller_kit.telemetry.workers import Workers


def test_what_goes_beyond_the_bound_is_counted_under_other() -> None:
    metrics = Metrics(most_series=3)
    for number in range(10):
        metrics.calls.labels(f"tenant-{number}", f"model-{number}", "ok" if number % 2 else "cut").inc()
    assert metrics.registry.get_sample_value(
        "reseller_kit_calls_total", {"tenant": "tenant-2", "model": "model-2", "outcome": "cut"}
    )
    others = {"tenant": OTHER, "model": OTHER}
    ok = metrics.registry.get_sample_value("reseller_kit_calls_total", {**others, "outcome": "ok"})
    cut = metrics.registry.get_sample_value("reseller_kit_calls_total", {**others, "outcome": "cut"})
    assert (ok, cut) == (4, 3)
    assert metrics.render().count(b"\nreseller_kit_calls_total{") == 5


def test_a_settled_call_moves_what_hangs_on_its_tenant_model_outcome_and_upstream() -> None:
    metrics = Metrics()
    for upstream, first_byte_ms in (("one", 20), ("one", None), (None, None)):
        series = metrics.settled_calls("aurora", "gpt", "ok", upstream)
        series.count(ms=400, first_byte_ms=first_byte_ms, read=10, written=2, retail=6, wholesale=5, cost=4)
    value = metrics.registry.get_sample_value
    assert value("reseller_kit_settles_total", {"outcome": "settled"}) == 3
    assert value("reseller_kit_calls_total", {"tenant": "aurora", "model": "gpt", "outcome": "ok"}) == 3
    assert value("reseller_kit_tokens_total", {"tenant": "aurora", "direction": "input"}) == 30
    assert value("reseller_kit_tokens_total", {"tenant": "aurora", "direction": "output"}) == 6
    levels = ("retail", "wholesale", "cost")
    charged = [value("reseller_kit_charged_nano_usd_total", {"tenant": "aurora", "level": level}) for level in levels]
    assert charged == [18, 15, 12]
    assert value("reseller_kit_call_duration_seconds_sum", {"upstream": "one"}) == 0.8
    assert value("reseller_kit_call_first_byte_seconds_count", {"upstream": "one"}) == 1


def test_labels_that_are_not_configured_have_few_values() -> None:
    known = {"surface", "code", "outcome", "direction", "level", "state", "event", "queue", "version"}
    assert {label for family in Metrics().families for label in family.labels} <= OPEN_LABELS | known


def test_names_keep_to_the_conventions() -> None:
    for family in Metrics().families:
        assert family.name.startswith(PREFIX)
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert family.kind != "histogram" or family.name.endswith(("_seconds", "_items"))
        assert family.meaning.endswith(".")


def count_and_publish(folder: Path, calls: int, open_calls: int) -> None:
    metrics = Metrics(Workers(folder))
    metrics.calls.labels("aurora", "gpt", "ok").inc(calls)
    metrics.open_calls.set(open_calls)
    metrics.shared_limits.set(0)
    metrics.circuits.labels("one", "gpt").set(1)
    metrics.loop_lag.observe(0.2)
    metrics.parked.labels("mails").set(99)
    metrics.publish()


@pytest.fixture
def asked(tmp_path: Path) -> Metrics:
    metrics = Metrics(Workers(tmp_path))
    metrics.calls.labels("aurora", "gpt", "ok").inc(2)
    metrics.open_calls.set(1)
    metrics.shared_limits.set(1)
    metrics.circuits.labels("one", "gpt").set(0)
    metrics.loop_lag.observe(0.1)
    metrics.parked.labels("mails").set(4)
    return metrics


def sibling(tmp_path: Path, *, lives: bool) -> None:
    process = multiprocessing.get_context("spawn").Process(target=count_and_publish, args=(tmp_path, 5, 7))
    process.start()
    process.join()
    (file,) = tmp_path.glob("*.metrics")
    assert int(file.stem) == process.pid
    if lives:
        file.rename(tmp_path / f"{os.getppid()}.metrics")


def samples(metrics: Metrics) -> set[str]:
    return set(metrics.render().decode().splitlines())


def test_workers_figures_come_to_one(tmp_path: Path, asked: Metrics) -> None:
    sibling(tmp_path, lives=True)
    assert samples(asked) >= {
        'reseller_kit_calls_total{model="gpt",outcome="ok",tenant="aurora"} 7.0',
        "reseller_kit_open_calls 8.0",
        "reseller_kit_shared_limits 0.0",
        'reseller_kit_circuit_open{model="gpt",upstream="one"} 1.0',
        "reseller_kit_event_loop_lag_seconds_count 2.0",
        'reseller_kit_event_loop_lag_seconds_bucket{le="0.1"} 1.0',
        'reseller_kit_event_loop_lag_seconds_bucket{le="+Inf"} 2.0',
        'reseller_kit_parked{queue="mails"} 4.0',
    }


def test_what_a_dead_worker_counted_stays_counted(tmp_path: Path, asked: Metrics) -> None:
    sibling(tmp_path, lives=False)
    found = samples(asked)
    assert 'reseller_kit_calls_total{model="gpt",outcome="ok",tenant="aurora"} 7.0' in found
    assert "reseller_kit_open_calls 1.0" in found
    assert "reseller_kit_shared_limits 1.0" in found
