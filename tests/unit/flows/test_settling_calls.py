"""How a settle ends: at once, after the database was away, never; a call waits for it for five seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.core.errors import LedgerFault, ServiceUnavailable
from reseller_kit.core.health import HealthBoard
from reseller_kit.core.usage import Usage
from reseller_kit.db.ledger import LostLease
from reseller_kit.flows import runtime as runtimes
from reseller_kit.flows.call import settle as settling
from reseller_kit.flows.call.job import Job
from reseller_kit.flows.call.settle import Ending, settle
from reseller_kit.flows.limiter import Limiter
from reseller_kit.flows.runtime import Runtime
from reseller_kit.telemetry.metrics import Metrics

from .test_call_money import make_job

AWAY = ServiceUnavailable("away")
USED = Usage(input_tokens=3, output_tokens=2)


class Settles:
    """A runtime whose ledger answers settles with these outcomes, one after the other; behind them it is silent."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.submitted: list[asyncio.Future[Any]] = []
        self.ledger, self.epoch = self, 1
        self.metrics, self.health = Metrics(), HealthBoard()
        self.limiter = Limiter(self.metrics)
        self.endpoints = SimpleNamespace(speeds=SimpleNamespace(note_output=lambda _model, _tokens: None))
        self.settling: dict[asyncio.Future[Any], float] = {}
        self.unsettled: set[str] = set()
        self.active = {"req_1"}
        self.answering: set[Any] = set()
        self.tasks: list[asyncio.Task[Any]] = []

    def submit(self, _item: object) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.submitted.append(future)
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            future.set_result(None) if outcome is None else future.set_exception(outcome)
        return future

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.create_task(work, name=name))
        return self.tasks[-1]

    async def settle(self, job: Job) -> Usage:
        runtime: Any = self
        return await settle(runtime, job, Ending(status="ok", http_status=200, usage=USED))

    def counted(self, outcome: str) -> float:
        return self.metrics.settles.labels(outcome).value


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_RETRY_SECONDS", 0)


async def test_a_settle_that_succeeds_is_counted_and_the_call_is_over() -> None:
    settles = Settles(None)
    assert await settles.settle(make_job()) == USED
    assert (settles.active, settles.settling, settles.tasks) == (set(), {}, [])
    assert settles.counted("settled") == 1


async def test_while_the_database_is_away_it_is_tried_again_and_its_call_waits() -> None:
    settles = Settles(AWAY, AWAY, None)
    waiting = asyncio.create_task(settles.settle(make_job()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (settles.unsettled, settles.active) == ({"req_1"}, {"req_1"})
    assert await waiting == USED
    assert (settles.unsettled, settles.active, settles.counted("settled")) == (set(), set(), 1)
    assert settles.metrics.settle_retries.value == 2


async def test_after_five_seconds_the_call_waits_no_longer_and_the_settle_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
    settles = Settles(AWAY)
    assert await settles.settle(make_job()) == USED
    assert (settles.unsettled, settles.active) == ({"req_1"}, {"req_1"})
    while len(settles.submitted) < 2:
        await asyncio.sleep(0)
    settles.submitted[1].set_result(None)
    await asyncio.gather(*settles.tasks)
    assert (settles.unsettled, settles.active, settles.counted("settled")) == (set(), set(), 1)


@pytest.mark.parametrize("outcomes", [(LostLease(),), (AWAY, LostLease())], ids=["at once", "when it is tried again"])
async def test_a_hold_that_another_process_resolved_is_an_error(outcomes: tuple[Exception, ...]) -> None:
    settles = Settles(*outcomes)
    with pytest.raises(LostLease):
        await settles.settle(make_job())
    assert (settles.unsettled, settles.active) == (set(), set())
    assert (settles.counted("lost"), settles.counted("settled")) == (1, 0)


async def test_one_that_can_t_be_written_is_not_tried_again_and_its_answer_is_sent() -> None:
    settles = Settles(LedgerFault("no"))
    assert await settles.settle(make_job()) == USED
    assert (settles.unsettled, settles.active, settles.tasks) == (set(), set(), [])
    assert settles.counted("failed") == 1


async def test_one_whose_call_is_cancelled_goes_on() -> None:
    settles = Settles()
    waiting = asyncio.create_task(settles.settle(make_job()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (settles.unsettled, settles.active) == (set(), {"req_1"}), "the database is not away"
    settles.outcomes.append(None)
    await asyncio.gather(*settles.tasks)
    assert (settles.active, settles.counted("settled")) == (set(), 1)


async def test_whoever_looks_after_calls_lets_those_go_that_waited_for_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtimes, "_LOOK_SECONDS", 0)
    loop, now = asyncio.get_running_loop(), time.monotonic()
    over, done, late, young = (loop.create_future() for _ in range(4))
    done.set_result(None)
    settles: Any = Settles()
    settles.settling = {over: now - 60, done: now - 30, late: now - 5, young: now + 60}
    task = loop.create_task(Runtime.look_after_calls(settles))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [isinstance(future.exception(), ServiceUnavailable) for future in (over, done, late)] == [True, False, True]
    assert not young.done()
