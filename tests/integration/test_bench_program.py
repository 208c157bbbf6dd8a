"""The bench as a program, without the product: it starts, measures in turns and reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts._bench.scenarios import ALL_TARGETS, apis, beside_peers

pytestmark = pytest.mark.thorough


ROOT = Path(__file__).resolve().parents[2]


def run_bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_pass_through_is_measured() -> None:
    done = run_bench("--backends", "none", "--rounds", "1", "--calls", "60", "--connections", "4", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [(each["target"], each["mode"]) for each in document["figures"]] == [
        ("direct", "plain"),
        ("pass-through", "plain"),
        ("direct", "stream"),
        ("pass-through", "stream"),
    ]
    assert all(each["calls_per_second"] > 0 for each in document["figures"])
    assert document["books"] == []


def test_other_apis_are_measured_and_their_books_are_right() -> None:
    options = ("--apis", "--backends", "sqlite", "--rounds", "1", "--calls", "40", "--connections", "4", "--json")
    done = run_bench(*options)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    asked = [each for each in document["figures"] if each["target"] == "gateway, sqlite"]
    assert [each["mode"] for each in asked] == [scenario.name for scenario in (*ALL_TARGETS, *apis())]
    assert {each["mode"] for each in asked if each["most_times"]} == {each.name for each in apis() if each.base}
    (books,) = document["books"]
    assert books["calls"] == books["usage_records"] == (40 + 10) * len(asked)
    assert books["audit"]["ok"]


@pytest.mark.slow
def test_other_gateways_are_measured_beside_and_none_is_needed() -> None:
    options = ("--peers", "none", "--backends", "sqlite", "--rounds", "1", "--calls", "40", "--connections", "4")
    done = run_bench("peers", *options, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["left_out"] == {}
    assert {(each["target"], each["mode"]) for each in document["figures"]} == {
        (target, scenario.name) for target in ("direct", "gateway, sqlite") for scenario in beside_peers()
    }
    (books,) = document["books"]
    assert books["calls"] == books["usage_records"] > 0
    assert books["audit"]["ok"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_long_past_is_measured_and_its_books_are_right(backend: str) -> None:
    done = run_bench("growth", "--backends", backend, "--past", "3000", "--pairs", "200", "--json")
    assert done.returncode == 0, done.stderr
    [figures] = json.loads(done.stdout)
    assert (figures["backend"], figures["past"]) == (backend, 3000)
    assert figures["audit_peak_megabytes"] > 0
    assert all(asked["ms"] > 0 for asked in figures["queries"].values())


@pytest.mark.slow
def test_open_streams_are_measured_and_their_books_are_right() -> None:
    done = run_bench("streams", "--streams", "4,8", "--rounds", "1", "--backends", "sqlite", "--json")
    assert done.returncode == 0, done.stderr
    few, many = json.loads(done.stdout)
    assert (few["streams"], many["streams"]) == (4, 8)
    assert few["direct_gap_p99_ms"] >= 45
    assert 0 < few["peak_megabytes"] <= many["peak_megabytes"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_large_deployment_is_made_and_measured_beside_a_small_one(backend: str) -> None:
    size = ("--tenants", "60", "--models", "20", "--routes", "5", "--keys", "3000")
    load = ("--rounds", "1", "--calls", "40", "--connections", "4")
    done = run_bench("scale", "--backends", backend, *size, *load, "--json")
    assert done.returncode == 0, done.stderr
    small, large = json.loads(done.stdout)[backend]
    assert large["size"] == {"tenants": 60, "models": 20, "routes": 5, "keys": 3000}
    assert (small["times_small"], small["opened"], large["opened"]) == (1.0, 9, 59)
    assert large["plain_cpu_us"] > 0
    assert large["memory_megabytes"] > 0


@pytest.mark.slow
def test_a_past_can_be_made_in_one_run_and_measured_in_another(tmp_path: Path) -> None:
    kept = ("growth", "--backends", "sqlite", "--keep", str(tmp_path), "--pairs", "200", "--past")
    made = run_bench(*kept, "2000", "--fill-only")
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    done = run_bench(*kept, "2000", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["past"] == 2000
    other = run_bench(*kept, "3000")
    assert other.returncode == 1
    assert "a past of 2,000 calls" in other.stderr


def test_wrong_arguments() -> None:
    assert run_bench("--rounds", "0").returncode == 2
    assert run_bench("--backends", "oracle").returncode == 2
    assert run_bench("peers", "--peers", "envoy").returncode == 2
    assert run_bench("scale", "--tenants", "0").returncode == 2
