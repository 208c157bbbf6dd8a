"""The bench's arithmetic, table and guard, on made-up figures. How fast anything is stands in no test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts._bench import cores, guard, peers, report
from scripts._bench.load import Report, _percentile
from scripts._bench.rounds import Figures, _compared, _medians, _Sample
from scripts._bench.scenarios import ALL_TARGETS, CODE_BYTES, LARGE_BYTES, apis, beside_peers
from scripts._bench.targets import Books, Target, WrongBooks
from scripts._lib.bootstrap import SetupFailed


def make_figures(
    target: str,
    cpu_us: float,
    *,
    mode: str = "plain",
    p50_ms: float = 5.0,
    base: str | None = None,
    most_times: float | None = None,
    failed_calls: int = 0,
) -> Figures:
    return Figures(
        failed_calls=failed_calls,
        base=base,
        most_times=most_times,
        target=target,
        mode=mode,
        calls_per_second=1000.0,
        cpu_us_per_call=cpu_us,
        cpu_us_by_round=(cpu_us,),
        calls_per_core_second=1e6 / cpu_us,
        database_cpu_us_per_call=None,
        p50_ms=p50_ms,
        p99_ms=2 * p50_ms,
        first_byte_p50_ms=p50_ms,
    )


def make_sample(cpu_us: float, *, seconds: float = 1.0, failed: int = 0) -> _Sample:
    answered = Report(
        calls=500,
        failed=failed,
        seconds=seconds,
        p50_ms=cpu_us / 10,
        p99_ms=cpu_us / 5,
        first_byte_p50_ms=1.0,
        bytes_per_call=700.0,
        fault="",
    )
    return _Sample(answered, cpu_us, cpu_us / 4)


def test_medians_ignore_one_slow_round() -> None:
    figures = _medians("x", ALL_TARGETS[0], [make_sample(100), make_sample(110), make_sample(9000, seconds=60)])
    assert (figures.cpu_us_per_call, figures.calls_per_second, figures.p50_ms) == (110, 500, 11)
    assert figures.calls_per_core_second == pytest.approx(1e6 / 110)
    assert figures.database_cpu_us_per_call == 27.5


def test_failed_calls_of_all_rounds_are_added_up() -> None:
    figures = _medians(
        "Go net/http", ALL_TARGETS[0], [make_sample(50, failed=2), make_sample(50), make_sample(50, failed=1)]
    )
    assert figures.failed_calls == 3


def test_a_peer_that_answered_nothing_has_figures() -> None:
    nothing = _Sample(Report(failed=400, fault="refused"), 0.0, None)
    assert _medians("Go net/http", ALL_TARGETS[0], [nothing]).calls_per_second == 0


def test_percentiles() -> None:
    seconds = [n / 1000 for n in range(100, 0, -1)]
    assert _percentile(seconds, 0.50) == pytest.approx(51)
    assert _percentile(seconds, 0.99) == pytest.approx(100)
    assert _percentile([], 0.5) == 0.0


def test_latency_is_added_to_direct_and_processor_time_compared_with_the_pass_through() -> None:
    every = [
        make_figures("direct", 10, p50_ms=2),
        make_figures("pass-through", 50, p50_ms=5),
        make_figures("gateway, sqlite", 150, p50_ms=9),
        make_figures("direct", 20, mode="stream", p50_ms=100),
    ]
    direct, yardstick, gateway, _ = [_compared(each, every) for each in every]
    assert (direct.added_p50_ms, direct.times_pass_through) == (None, None)
    assert (yardstick.added_p50_ms, yardstick.times_pass_through) == (3, None)
    assert (gateway.added_p50_ms, gateway.added_p99_ms, gateway.times_pass_through) == (7, 14, 3)


def compared(*every: Figures) -> list[Figures]:
    return [_compared(each, every) for each in every]


def test_the_guard_objects_to_a_gateway_that_grew_slow_and_to_no_slow_machine(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    guard.record(compared(make_figures("pass-through", 50), make_figures("gateway, postgres", 150)), path)
    baseline = guard.recorded(path)
    assert baseline == {"gateway, postgres, plain": 3}
    slow_machine = compared(make_figures("pass-through", 500), make_figures("gateway, postgres", 1_720))
    assert guard.objections(slow_machine, baseline) == {}
    objections = guard.objections(
        compared(make_figures("pass-through", 50), make_figures("gateway, postgres", 174)), baseline
    )
    (objection,) = objections.values()
    assert objection == "gateway, postgres, plain: 3.48 times the pass-through, 3.00 recorded, 1.16 of it"
    assert guard.objections(slow_machine, {}) == {}


def test_a_slow_minute_of_the_machine_is_one_of_both() -> None:
    plain = ALL_TARGETS[0]
    passed = _medians("pass-through", plain, [make_sample(50), make_sample(100), make_sample(50), make_sample(60)])
    gateway = _medians(
        "gateway, sqlite", plain, [make_sample(150), make_sample(300), make_sample(450), make_sample(180)]
    )
    assert compared(passed, gateway)[1].times_pass_through == 3


def test_only_what_every_run_objects_to_is_a_loss() -> None:
    assert guard.lasting([{"a": "first", "b": "first"}, {"a": "second", "c": "second"}]) == ["second"]
    assert guard.lasting([{"a": "first"}, {}]) == []
    assert guard.lasting([]) == []


def test_what_is_recorded_is_of_all_that_a_check_measures() -> None:
    targets = [f"gateway, {backend}" for backend in ("sqlite", "postgres")]
    assert guard.recorded().keys() == {f"{target}, {each.name}" for target in targets for each in ALL_TARGETS}


def test_a_scenario_is_compared_with_its_base_on_the_same_target() -> None:
    every = [
        make_figures("gateway, sqlite", 100),
        make_figures("gateway, postgres", 300),
        make_figures("gateway, sqlite", 151, mode="messages 50 kB", base="plain", most_times=1.5),
        make_figures("gateway, postgres", 449, mode="messages 50 kB", base="plain", most_times=1.5),
    ]
    (objection,) = guard.objections(compared(*every), {}).values()
    assert objection == "gateway, sqlite, messages 50 kB: 1.51 times plain, 1.5 at most"


def test_every_base_is_measured() -> None:
    names = {scenario.name for scenario in (*ALL_TARGETS, *apis())}
    assert len(names) == len(ALL_TARGETS) + len(apis())
    assert {scenario.base for scenario in apis()} - {None} <= names


def test_the_coding_agents_body_has_its_size() -> None:
    (code,) = [scenario for scenario in apis() if scenario.name == "messages 50 kB"]
    assert len(code.body) == CODE_BYTES


def test_the_table_has_a_line_for_each_target_and_mode() -> None:
    lines = report.table([make_figures("direct", 10), make_figures("pass-through", 1000, mode="stream")]).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("pass-through  stream")
    assert "1,000.0" not in lines[2]
    assert lines[2].split()[3:5] == ["1000.0", "1,000"]


def test_a_long_conversation_has_its_size() -> None:
    (large,) = [scenario for scenario in beside_peers() if scenario.name == "70 kB request"]
    assert len(large.body) == LARGE_BYTES


def test_the_table_of_peers_compares_with_go_and_has_a_line_for_each_target() -> None:
    every = [
        make_figures("direct", 10),
        make_figures("Go net/http", 50),
        make_figures("Go net/http", 80, mode="stream", failed_calls=2),
        make_figures("LiteLLM", 10_000),
        make_figures("gateway, sqlite", 75),
        make_figures("gateway, sqlite", 75, mode="400 calls/s", p50_ms=0.5),
    ]
    _, direct, go, litellm, gateway = peers.table(every).splitlines()
    assert direct.split() == ["direct", "10.0", "0.20"]
    assert go.split() == ["Go", "net/http", "50.0", "1.00", "80.0", "1.00", "2"]
    assert litellm.split() == ["LiteLLM", "10,000.0", "200.00"]
    assert gateway.split() == ["gateway,", "sqlite", "75.0", "1.50", "0.50", "1.00"]


def test_a_peer_that_cannot_be_installed_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextmanager
    def there(_scratch: Path, _cores: cores.Cores, upstream: Target) -> Iterator[Target]:
        yield Target("nginx", upstream.port, upstream.pid)

    def missing(_scratch: Path, _cores: cores.Cores, _upstream: Target) -> Iterator[Target]:
        raise SetupFailed("go is missing; apt-get install golang-go")

    monkeypatch.setattr(peers, "STARTERS", {"go": missing, "nginx": there})
    upstream = Target("direct", 1, os.getpid())
    with ExitStack() as stack:
        started, left_out = peers._peers(stack, ("go", "nginx"), tmp_path, cores.Cores(0, 0), upstream)
    assert [target.name for target in started] == ["nginx"]
    assert left_out == {"go": "go is missing; apt-get install golang-go"}


@pytest.mark.parametrize(
    ("records", "audit"), [(9, {"ok": True, "findings": []}), (10, {"ok": False, "findings": [{"code": "x"}]})]
)
def test_wrong_books_are_refused(records: int, audit: dict[str, object]) -> None:
    with pytest.raises(WrongBooks):
        Books("gateway, sqlite", 10, records, audit).check()


def test_processor_time_of_this_process_grows_with_work() -> None:
    before = cores.cpu_seconds(os.getpid())
    while cores.cpu_seconds(os.getpid()) - before < 0.03:
        sum(range(10_000))
    assert cores.cpu_seconds(os.getpid()) > before


def test_pinning_is_undone() -> None:
    before = os.sched_getaffinity(0)
    with cores.pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
