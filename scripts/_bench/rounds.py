"""Measures targets in turns, so that a slow minute of the machine falls on all of them, and takes medians."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec

from scripts._bench.cores import Cores, cpu_seconds, pinned
from scripts._bench.load import Order, Report
from scripts._bench.scenarios import ALL_TARGETS, Scenario
from scripts._bench.targets import Target
from scripts._lib.bootstrap import ROOT


class LoadFailed(RuntimeError):
    """Calls failed, so that their figures would mean nothing."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. `shared`: what every target is asked, `apis`: what only gateways are."""

    rounds: int
    calls: int
    connections: int
    apis: Sequence[Scenario] = ()
    shared: Sequence[Scenario] = ALL_TARGETS


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds for one target and scenario (`mode`); `cpu_us_by_round` has each.

    `added` is the latency beyond asking the upstream directly; `times_base` the processor time in that of `base`,
    another scenario of the same target, with `most_times` of it as the goal. `times_pass_through` is the median of what
    each round says, since its calls were made one after the other. `failed_calls`: of all rounds together.
    """

    target: str
    mode: str
    calls_per_second: float
    cpu_us_per_call: float
    cpu_us_by_round: tuple[float, ...]
    calls_per_core_second: float
    database_cpu_us_per_call: float | None
    p50_ms: float
    p99_ms: float
    first_byte_p50_ms: float
    failed_calls: int = 0
    first_byte_p99_ms: float = 0.0
    gap_p99_ms: float = 0.0
    added_first_byte_p50_ms: float | None = None
    added_first_byte_p99_ms: float | None = None
    added_gap_p99_ms: float | None = None
    added_p50_ms: float | None = None
    added_p99_ms: float | None = None
    times_pass_through: float | None = None
    base: str | None = None
    times_base: float | None = None
    most_times: float | None = None


@dataclass(frozen=True)
class _Sample:
    report: Report
    cpu_us: float
    database_cpu_us: float | None


def measure(
    targets: Sequence[Target], plan: Plan, cores: Cores, say: Callable[[str], None]
) -> tuple[list[Figures], dict[str, int]]:
    """Figures in the order of `targets` by mode, and how many calls each target answered in all.

    Raises LoadFailed when a call failed that was not a peer's.
    """
    samples: dict[tuple[str, str], list[_Sample]] = defaultdict(list)
    answered: dict[str, int] = defaultdict(int)
    warm_up = max(plan.connections, plan.calls // 4)
    asked = [(scenario, target) for scenario in plan.shared for target in targets if target.timed or not scenario.timed]
    asked += [(scenario, target) for scenario in plan.apis for target in targets if target.name.startswith("gateway")]
    for number in range(plan.rounds + 1):
        say("warm-up" if number == 0 else f"round {number} of {plan.rounds}")
        for scenario, target in asked:
            sample = run_load(target, scenario, plan.calls if number else warm_up, plan.connections, cores)
            if sample.report.failed:
                say(f"{target.name}, {scenario.name}: {sample.report.failed} calls failed: {sample.report.fault}")
            answered[target.name] += sample.report.calls
            if number:
                samples[scenario.name, target.name].append(sample)
    figures = [_medians(target.name, scenario, samples[scenario.name, target.name]) for scenario, target in asked]
    return [_compared(each, figures) for each in figures], dict(answered)


def run_load(target: Target, scenario: Scenario, calls: int, connections: int, cores: Cores) -> _Sample:
    """Send calls of one kind to one target, from the other core. Raises LoadFailed, but for what a peer fails."""
    connections = (scenario.connections or connections) * target.load
    share = 1.0 if scenario.timed else target.share
    order = Order(
        port=target.port,
        key=target.key,
        more_keys=target.more_keys,
        path=scenario.path,
        body=scenario.body,
        end=scenario.end if scenario.stream else b"}",
        calls=max(connections, int((scenario.calls or calls) * share) * target.load),
        connections=connections,
        headers=dict(target.headers),
        rate=scenario.rate,
        spread=scenario.spread,
        gaps=scenario.timed and scenario.stream,
    )
    before, database_before = cpu_seconds(target.pid), _database_cpu(target)
    report = send(order, cores)
    if report.failed and not target.peer:
        raise LoadFailed(
            f"{target.name}, {scenario.name}: {report.failed} of {order.calls} calls failed: {report.fault}"
        )
    per_call = 1e6 / max(1, report.calls)
    database_cpu = None if target.database_pid is None else (_database_cpu(target) - database_before) * per_call
    return _Sample(report, (cpu_seconds(target.pid) - before) * per_call, database_cpu)


def send(order: Order, cores: Cores) -> Report:
    """Carry out an order from the other core."""
    with pinned(cores.other):
        done = subprocess.run(
            [sys.executable, "-m", "scripts._bench.load"],
            cwd=ROOT,
            input=msgspec.json.encode(order),
            capture_output=True,
            check=False,
            timeout=order.limit_seconds + 30,
        )
    if done.returncode:
        return Report(failed=order.calls, fault="".join(done.stderr.decode(errors="replace").splitlines()[-1:]))
    return msgspec.json.decode(done.stdout, type=Report)


def _database_cpu(target: Target) -> float:
    return 0.0 if target.database_pid is None else cpu_seconds(target.database_pid)


def _medians(name: str, scenario: Scenario, samples: Sequence[_Sample]) -> Figures:
    cpu = median(sample.cpu_us for sample in samples)
    database = [sample.database_cpu_us for sample in samples if sample.database_cpu_us is not None]
    return Figures(
        target=name,
        mode=scenario.name,
        base=scenario.base,
        most_times=scenario.most_times,
        calls_per_second=median(sample.report.calls / sample.report.seconds for sample in samples),
        failed_calls=sum(sample.report.failed for sample in samples),
        cpu_us_per_call=cpu,
        cpu_us_by_round=tuple(sample.cpu_us for sample in samples),
        calls_per_core_second=1e6 / cpu if cpu else 0.0,
        database_cpu_us_per_call=median(database) if database else None,
        p50_ms=median(sample.report.p50_ms for sample in samples),
        p99_ms=median(sample.report.p99_ms for sample in samples),
        first_byte_p50_ms=median(sample.report.first_byte_p50_ms for sample in samples),
        first_byte_p99_ms=median(sample.report.first_byte_p99_ms for sample in samples),
        gap_p99_ms=median(sample.report.gap_p99_ms for sample in samples),
    )


def _compared(figures: Figures, all_figures: Sequence[Figures]) -> Figures:
    by_name = {each.target: each for each in all_figures if each.mode == figures.mode}
    direct, yardstick = by_name.get("direct"), by_name.get("pass-through")
    if direct is not None and figures is not direct:
        figures = msgspec.structs.replace(
            figures,
            added_p50_ms=figures.p50_ms - direct.p50_ms,
            added_p99_ms=figures.p99_ms - direct.p99_ms,
            added_first_byte_p50_ms=figures.first_byte_p50_ms - direct.first_byte_p50_ms,
            added_first_byte_p99_ms=figures.first_byte_p99_ms - direct.first_byte_p99_ms,
            added_gap_p99_ms=figures.gap_p99_ms - direct.gap_p99_ms,
        )
    if yardstick is not None and yardstick.cpu_us_per_call and figures.target.startswith("gateway"):
        pairs = zip(figures.cpu_us_by_round, yardstick.cpu_us_by_round, strict=True)
        figures = msgspec.structs.replace(
            figures, times_pass_through=median(own / passed for own, passed in pairs if passed)
        )
    base = next((each for each in all_figures if (each.target, each.mode) == (figures.target, figures.base)), None)
    if base is not None and base.cpu_us_per_call:
        figures = msgspec.structs.replace(figures, times_base=figures.cpu_us_per_call / base.cpu_us_per_call)
    return figures
