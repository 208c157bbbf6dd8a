"""The scenarios of the lab on the real product: their quick forms in every run, whole ones in a full run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from scripts._lib.bootstrap import ROOT
from tests.lab import runner
from tests.lab.house import House, open_house
from tests.lab.scenario import Scenario, load_scenarios
from tests.lab.verdict import judge
from tests.support.databases import Databases, url_for_processes

SCENARIOS = load_scenarios()
QUICK = {each.name: each.shortened() for each in SCENARIOS if each.quick}
JUDGED = QUICK.pop("reset")
"""The one on which the judge itself is tried."""


@pytest.fixture(scope="module")
def houses(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], House]]:
    """The product with the upstreams of every scenario behind it, once for a database."""
    with ExitStack() as stack:

        @cache
        def open_on(backend: str) -> House:
            url = stack.enter_context(url_for_processes(backend, databases))
            return stack.enter_context(open_house(tmp_path_factory.mktemp(f"lab-{backend}"), SCENARIOS, url))

        yield open_on


def named(scenarios: Sequence[Scenario]) -> list[object]:
    return [pytest.param(each, id=each.name) for each in scenarios]


def hold(house: House, scenario: Scenario) -> None:
    verdict = judge(runner.run(house, scenario), house.oracle)
    print(verdict)
    assert verdict.faults == []


@pytest.mark.thorough
@pytest.mark.parametrize("scenario", named(list(QUICK.values())))
def test_a_few_calls_of_a_scenario(houses: Callable[[str], House], scenario: Scenario) -> None:
    hold(houses("sqlite"), scenario)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named(SCENARIOS))
def test_a_whole_scenario(houses: Callable[[str], House], backend: str, scenario: Scenario) -> None:
    hold(houses(backend), scenario)


@pytest.mark.thorough
def test_a_verdict_notices_what_is_wrong(houses: Callable[[str], House]) -> None:
    """The same run, told differently by each witness in turn."""
    house = houses("sqlite")
    run = runner.run(house, JUDGED)
    assert judge(run, house.oracle).faults == []
    assert any("balance" in fault for fault in _with_record(run, house, retail="9.00"))
    assert any("good answers upstream" in fault for fault in _without_an_answer(run, house))
    assert any("held" in fault for fault in _with_balance(run, house, held="0.10"))
    run.calls.outcomes[0].received = b"HTTP/1.1 503 X\r\n\r\n"
    assert any("client errors" in fault for fault in judge(run, house.oracle).faults)


def _with_record(run: runner.Run, house: House, **changes: str) -> list[str]:
    kept = dict(run.records[0])
    run.records[0].update(changes)
    faults = judge(run, house.oracle).faults
    run.records[0].update(kept)
    return faults


def _without_an_answer(run: runner.Run, house: House) -> list[str]:
    attempt = run.attempts["far"][0]
    attempt.good = False
    faults = judge(run, house.oracle).faults
    attempt.good = True
    return faults


def _with_balance(run: runner.Run, house: House, **changes: str) -> list[str]:
    kept = dict(run.balance)
    run.balance.update(changes)
    faults = judge(run, house.oracle).faults
    run.balance.update(kept)
    return faults


def test_scenarios_of_ones_own_are_refused_with_their_fault(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[scenario]]\nname = "mine"\n')
    command = [sys.executable, str(ROOT / "scripts" / "chaos"), "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "mine.toml" in done.stderr
    assert "about" in done.stderr
