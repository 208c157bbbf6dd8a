"""Limits that several processes count together, on a real Redis or Valkey."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reseller_kit.bus import Away
from reseller_kit.bus import counters as counters_module
from reseller_kit.bus.announcements import Announcements
from reseller_kit.bus.connection import Redis, connect
from reseller_kit.bus.counters import SharedCounters
from reseller_kit.core.limits import PIECE_US, Counters, Limit, Room
from reseller_kit.flows.limiter import Limiter
from reseller_kit.telemetry.metrics import Metrics
from scripts._lib.redis import RedisServer

_SPACES = itertools.count()
SECOND = 1_000_000


def space() -> str:
    return f"test{next(_SPACES)}:"


def nothing(_limits: Sequence[Limit]) -> None:
    pass


def shared(redis: Redis, name: str, owner: str = "one") -> SharedCounters:
    return SharedCounters(redis, space=name, owner=owner, granted=nothing, undone=nothing)


@asynccontextmanager
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    redis = connect(server.url)
    try:
        yield redis
    finally:
        await redis.aclose()


def requests(most: int, amount: int = 1) -> Limit:
    return Limit("key", "requests", "k", most, amount)


def at_once(most: int) -> Limit:
    return Limit("customer", "concurrency", "c", most)


MOMENTS = st.integers(0, 300).map(lambda n: n / 4) | st.integers(0, 8).map(lambda n: n / 8)
STEPS = st.lists(
    st.tuples(MOMENTS, st.sampled_from(["take", "take", "end"]), st.integers(1, 3), st.integers(0, 60)), max_size=25
)


@given(STEPS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_counts_as_one_process_does(
    shared_redis: RedisServer, steps: list[tuple[float, str, int, int]]
) -> None:
    """The same steps at the same moments: the same rooms, waits and fills."""
    asyncio.run(_compare(shared_redis, steps))


async def _compare(server: RedisServer, steps: list[tuple[float, str, int, int]]) -> None:
    own, now, taken = Counters(), 10_000_000 * SECOND, []
    async with client(server) as redis:
        counters, name = shared(redis, space()), counters_module._SCRIPT
        for pause, what, amount, tokens in steps:
            now += int(pause * SECOND)
            script, replaced = re.subn(r"redis\.call\('TIME'\)", f"{{{now // SECOND}, {now % SECOND}}}", name)
            assert replaced == 1
            limits = [requests(6, amount), Limit("customer", "tokens", "t", 90, 20 * amount), at_once(3)]
            if what == "take":
                room = await _take_with(redis, counters, script, limits)
                assert room == own.take(limits, now)
                if room.refused is None:
                    taken.append((limits, room.piece))
            elif taken:
                ending, piece = taken.pop(0)
                counters.end(ending, tokens, taken=piece)
                await _run_with(counters, script)
                own.end(ending, tokens, taken=piece, now=now)


async def _take_with(redis: Redis, counters: SharedCounters, script: str, limits: list[Limit]) -> Room:
    waiting = asyncio.ensure_future(counters.take(limits))
    await _run_with(counters, script)
    return await waiting


async def _run_with(counters: SharedCounters, script: str) -> None:
    """One batch by another script, which Redis gets to know under its own digest."""
    from hashlib import sha1

    before = counters_module._SCRIPT, counters_module._SHA
    counters_module._SCRIPT, counters_module._SHA = script, sha1(script.encode()).hexdigest()  # type: ignore[misc]
    try:
        await asyncio.sleep(0)
        await counters.close()
    finally:
        counters_module._SCRIPT, counters_module._SHA = before  # type: ignore[misc]


async def test_several_processes_let_through_no_more_than_one(shared_redis: RedisServer) -> None:
    name = space()
    async with client(shared_redis) as redis, client(shared_redis) as other:
        both = [shared(redis, name, "one"), shared(other, name, "two")]
        limits = [requests(100), at_once(70)]
        rooms = await asyncio.gather(*(both[n % 2].take(limits) for n in range(150)))
        assert sum(room.refused is None for room in rooms) == 70
        assert {room.refused for room in rooms} == {None, 1}
        for n, room in enumerate(rooms):
            if room.refused is None:
                both[n % 2].end(limits, 0, taken=room.piece)
        rooms = await asyncio.gather(*(both[n % 2].take(limits) for n in range(150)))
        assert sum(room.refused is None for room in rooms) == 30
        assert {room.refused for room in rooms} == {None, 0}
        assert all(55 * SECOND < room.wait <= 60 * SECOND + PIECE_US for room in rooms if room.refused == 0)


async def test_many_calls_of_one_moment_are_few_round_trips(shared_redis: RedisServer) -> None:
    async with client(shared_redis) as redis:
        counters = shared(redis, space())
        await counters.take([requests(10**6)])
        before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        await asyncio.gather(*(counters.take([requests(10**6), at_once(10**6)]) for _ in range(256)))
        assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before <= 5


async def test_a_killed_process_holds_nothing_for_longer_than_its_lease(shared_redis: RedisServer) -> None:
    name = space()
    async with client(shared_redis) as redis:
        dead, living = shared(redis, name, "dead"), shared(redis, name, "living")
        assert (await dead.take([at_once(1)])).refused is None
        assert (await living.take([at_once(1)])).refused == 0
        # As if ten seconds had gone by without a word of it.
        await redis.zadd(f"{name}owners", {"dead": 1})
        assert (await living.take([at_once(1)])).refused is None
        # And when it wakes up after all, what it ends is its own.
        dead.end([at_once(1)], 0, taken=0)
        assert (await dead.take([at_once(1)])).refused == 0


async def test_a_call_that_is_cancelled_while_it_waits_takes_nothing(shared_redis: RedisServer) -> None:
    async with client(shared_redis) as redis:
        counters = shared(redis, space())
        for turns in range(40):
            waiting = asyncio.create_task(counters.take([at_once(1)]))
            for _ in range(turns % 8):
                await asyncio.sleep(0)
            await asyncio.sleep(turns / 20_000)
            waiting.cancel()
            outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
            if isinstance(outcome, Room):
                assert outcome.refused is None
                counters.end([at_once(1)], 0, taken=outcome.piece)
            await counters.close()
        assert (await counters.take([at_once(1)])).refused is None


async def test_windows_and_counts_leave_nothing_behind(shared_redis: RedisServer) -> None:
    name = space()
    async with client(shared_redis) as redis:
        counters = shared(redis, name)
        limits = [requests(5), at_once(5)]
        room = await counters.take(limits)
        assert 0 < await redis.pttl(f"{name}r:key:k") <= 60_500
        counters.end(limits, 0, taken=room.piece)
        await counters.close()
        assert await redis.exists(f"{name}c:customer:c") == 0


async def kept(limiter: Limiter, *, together: bool) -> None:
    async with asyncio.timeout(60):
        while limiter._together is not together:
            await asyncio.sleep(0.02)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["stopped", "still"])
async def test_an_outage_of_the_server_is_none_of_the_product(own_redis: RedisServer, how: str) -> None:
    async with client(own_redis) as redis:
        limiter = Limiter(Metrics())
        limiter.share(redis, space=space(), owner="one")
        keeping = asyncio.create_task(limiter.keep())
        await kept(limiter, together=True)
        limits = [requests(1000), at_once(40)]
        before = [await limiter.take(limits) for _ in range(10)]
        own_redis.stop() if how == "stopped" else own_redis.hold_still()
        began = time.monotonic()
        alone = await asyncio.gather(*(limiter.take(limits) for _ in range(50)))
        assert sum(admission.room.refused is None for admission in alone) == 30
        assert time.monotonic() - began < 10, (
            "a call waits for the server once at most, and all of them at the same time"
        )
        for admission in (*before, *alone[:10]):
            limiter.end(admission, 0)
        own_redis.start() if how == "stopped" else own_redis.go_on()
        await kept(limiter, together=True)
        again = [await limiter.take(limits) for _ in range(21)]
        assert [admission.room.refused for admission in again] == [None] * 20 + [1]
        assert all(admission.shared is not None for admission in again)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await limiter.close()


async def test_a_server_that_refuses_counts_as_away(shared_redis: RedisServer) -> None:
    redis: Any = connect(shared_redis.url.replace("redis://", "redis://nobody:wrong@"))
    try:
        with pytest.raises(Away):
            await shared(redis, space()).take([requests(1)])
    finally:
        await redis.aclose()


async def test_a_revision_is_told_to_the_others(shared_redis: RedisServer) -> None:
    name, heard = space(), asyncio.Queue[int]()
    async with client(shared_redis) as redis, client(shared_redis) as other:
        listening = asyncio.create_task(Announcements(redis, space=name).listen(heard.put_nowait))
        async with asyncio.timeout(60):
            while not await other.publish(f"{name}revision", "nonsense"):
                await asyncio.sleep(0.01)
            await Announcements(other, space=name).tell(7)
            assert await heard.get() == 7
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
