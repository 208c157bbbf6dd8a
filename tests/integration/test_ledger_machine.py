"""Any order of operations and faults leaves the real ledger as a second one, written from docs/money.md, says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from reseller_kit.flows import audit as audit_flow
from tests.support.databases import Databases
from tests.support.proof.machine import LedgerMachine
from tests.support.proof.world import World


@pytest.fixture
def world(databases: Databases, backend: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(databases, backend)
    monkeypatch.setattr(audit_flow, "now_us", lambda: made.clock)
    yield made
    made.close()


def prove(world: World, *, examples: int, steps: int) -> None:
    class Machine(LedgerMachine):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.thorough
def test_the_ledger_is_what_the_second_one_says(world: World, backend: str) -> None:
    prove(world, examples=8 if backend == "sqlite" else 4, steps=50)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_the_ledger_is_what_the_second_one_says_for_long(world: World, part: int) -> None:
    prove(world, examples=40, steps=60)
