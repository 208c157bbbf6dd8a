"""Circuits between processes: what one finds all know, one of them probes, and operators see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from reseller_kit.core.routing import EndpointName, breaker
from reseller_kit.db import endpoints
from reseller_kit.db import tables as t
from reseller_kit.db.endpoints import EndpointState
from reseller_kit.db.engine import NO_TENANT, Database, now_us
from reseller_kit.db.ledger import open_writer
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows.circuits import health_of, list_circuits, worst
from reseller_kit.flows.doctor import examine
from reseller_kit.flows.runtime import Runtime
from reseller_kit.flows.unlock import unlock
from reseller_kit.telemetry.access import AccessLog
from tests.support.factories import (
    COST,
    SECRET_KEY,
    make_model,
    make_platform,
    make_tenant,
    make_upstream,
    publish,
)

Workers = tuple[Runtime, Runtime]


def no_upstream(_config: Any) -> Any:
    raise AssertionError("no upstream is asked")


@pytest.fixture(autouse=True)
def _long_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circuit stays open until the test says that its time is over, on whatever machine."""
    monkeypatch.setattr(breaker, "open_seconds", lambda _trips, _jitter: 3600.0)


@pytest.fixture
async def workers(db: Database) -> AsyncIterator[Workers]:
    """Two processes' runtimes on one database."""
    await make_platform(db)
    tenant = await make_tenant(db, "aurora", hosts=["aurora.example"])
    await make_model(db, upstream_id=await make_upstream(db))
    await publish(db, tenant, "gpt-5-mini", wholesale=COST, retail=COST)
    vault = await unlock(db, SECRET_KEY)
    made = [
        Runtime(
            db=db,
            vault=vault,
            ledger=open_writer(db),
            snapshot=await snapshots.load(db, vault),
            upstream_factory=no_upstream,
            access_log=AccessLog("json"),
            kept_bytes=1_000_000,
        )
        for _ in range(2)
    ]
    yield made[0], made[1]
    for runtime in made:
        await runtime.finish_background(20)
        await runtime.close()


def endpoint_in(runtime: Runtime) -> EndpointName:
    (route,) = runtime.snapshot.hosts["aurora.example"].storefront.models["gpt-5-mini"].routes
    return route.upstream, route.upstream_model


async def break_circuit(runtime: Runtime) -> None:
    for _ in range(5):
        permit = runtime.endpoints.enter(endpoint_in(runtime), time.monotonic())
        assert permit is not None
        runtime.endpoints.fail(endpoint_in(runtime), permit, "status_503: overloaded")
    await runtime.finish_background(20)


def make_due(*runtimes: Runtime) -> None:
    """The open time is over."""
    for runtime in runtimes:
        runtime.endpoints._breakers[endpoint_in(runtime)]._until = 0.0


async def make_due_in(db: Database) -> None:
    async with db.write(NO_TENANT) as connection:
        await connection.execute(t.endpoint_state.update().values(until=0))


async def test_what_one_process_finds_the_other_takes_over_and_back(db: Database, workers: Workers) -> None:
    one, other = workers
    endpoint, snapshot = endpoint_in(one), other.snapshot
    await break_circuit(one)
    assert (one.endpoints.state(endpoint), other.endpoints.state(endpoint)) == ("open", "closed")
    await other.refresh()
    assert other.endpoints.state(endpoint) == "open"
    assert other.snapshot.hosts is snapshot.hosts, "nothing was loaded anew"
    make_due(one, other)
    await make_due_in(db)
    await other.endpoints.claim(endpoint)
    probe = other.endpoints.enter(endpoint, time.monotonic())
    assert probe is not None
    other.endpoints.succeed(endpoint, probe)
    await other.finish_background(20)
    await one.refresh()
    assert (one.endpoints.state(endpoint), other.endpoints.state(endpoint)) == ("closed", "closed")


async def test_one_of_many_gets_the_probe_and_its_place_is_free_again_in_time(db: Database, workers: Workers) -> None:
    one, other = workers
    endpoint = endpoint_in(one)
    await break_circuit(one)
    await other.refresh()
    make_due(one, other)
    await make_due_in(db)
    await asyncio.gather(*(each.endpoints.claim(endpoint) for each in (one, other) for _ in range(3)))
    now = time.monotonic()
    admissions = sorted(each.endpoints.admission(endpoint, now) for each in workers)
    assert admissions == ["no", "probe"]
    holder = next(each for each in workers if each.endpoints.admission(endpoint, now) == "probe")
    waiting = one if holder is other else other
    async with db.write(NO_TENANT) as connection:  # the holder died with it
        await connection.execute(t.endpoint_state.update().values(probe_until=0))
    make_due(waiting)
    await waiting.endpoints.claim(endpoint)
    assert waiting.endpoints.admission(endpoint, time.monotonic()) == "probe"


async def test_who_missed_that_a_circuit_closed_finds_out_when_it_would_probe(db: Database, workers: Workers) -> None:
    one, other = workers
    endpoint = endpoint_in(one)
    await break_circuit(one)
    await other.refresh()
    async with db.write(NO_TENANT) as connection:
        assert await endpoints.put_closed(connection, *endpoint, now=0)
        assert not await endpoints.put_closed(connection, *endpoint, now=0)
    make_due(other)
    await other.endpoints.claim(endpoint)
    assert other.endpoints.state(endpoint) == "closed"


async def test_a_process_that_starts_knows_what_is_open(db: Database, workers: Workers) -> None:
    one, other = workers
    await break_circuit(one)
    await other.endpoints.refresh()
    assert other.endpoints.state(endpoint_in(other)) == "open"


async def test_of_two_that_open_at_once_the_longer_time_counts(db: Database, workers: Workers) -> None:
    upstream, model = endpoint_in(workers[0])
    now = now_us()

    async def put(trips: int, seconds: int, at: int = now) -> bool:
        state = EndpointState(
            upstream=upstream,
            upstream_model=model,
            state="open",
            trips=trips,
            failures=5,
            reason="reset",
            until=at + seconds * 1_000_000,
            changed_at=at,
        )
        async with db.write(NO_TENANT) as connection:
            return await endpoints.put_open(connection, state)

    assert [await put(2, 30), await put(1, 90), await put(2, 90), await put(3, 60)] == [True, False, False, True]
    assert await put(1, 1, now + 61_000_000), "its time was over"
    async with db.write(NO_TENANT) as connection:
        assert await endpoints.put_closed(connection, upstream, model, now=now + 62_000_000)
    assert not await put(4, 60, now + 61_500_000), "told late of what is over"


async def test_an_upstream_that_is_configured_anew_begins_with_closed_circuits(db: Database, workers: Workers) -> None:
    one, other = workers
    await break_circuit(one)
    await other.refresh()
    one.endpoints.forget(endpoint_in(one)[0])
    await one.finish_background(20)
    await other.refresh()
    assert {each.endpoints.state(endpoint_in(each)) for each in workers} == {"closed"}


async def test_operators_and_customers_see_it(db: Database, workers: Workers) -> None:
    one, _ = workers
    storefront = one.snapshot.hosts["aurora.example"].storefront
    offered = storefront.models["gpt-5-mini"]
    upstream, model = endpoint_in(one)
    assert worst((await list_circuits(db))[upstream]) == "closed"
    await break_circuit(one)
    (seen,) = (await list_circuits(db))[upstream]
    assert (seen.model, seen.circuit, seen.failures, seen.reason) == (model, "open", 5, "status_503: overloaded")
    assert seen.until is not None
    assert health_of(one, storefront, offered) == "down"
    complaints = {each.code: each for each in await examine(db)}
    assert complaints["DR114"].where == f"{upstream}/{model}"
    gauge = f'reseller_kit_circuit_open{{model="{model}",upstream="{upstream}"}} 1.0'
    assert gauge in one.metrics.render().decode()
    await make_due_in(db)
    assert worst((await list_circuits(db))[upstream]) == "half_open"


async def test_an_upstream_without_circuits_is_shown_so(db: Database, workers: Workers) -> None:
    upstream, model = endpoint_in(workers[0])
    await break_circuit(workers[0])
    async with db.write(NO_TENANT) as connection:
        await connection.execute(update(t.upstream).values(settings={"breaker": False}))
    (seen,) = (await list_circuits(db))[upstream]
    assert (seen.model, seen.circuit, seen.failures, seen.until, seen.reason) == (model, "off", 0, None, "")
    assert worst([seen]) == "off"
    assert "DR114" not in {each.code for each in await examine(db)}, "it is asked all the same"
