"""Room for calls within the limits of key, customer and storefront, and what their callers are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from reseller_kit.bus import Away
from reseller_kit.core.errors import InvalidRequest, RateLimited
from reseller_kit.core.limits import Counters, Limit, Room
from reseller_kit.core.rates import Rate, rates_of
from reseller_kit.core.storefront import CallLimits
from reseller_kit.db.authentication import KeyAccount
from reseller_kit.flows.call.rates import limits_of, refusal, tokens_expected
from reseller_kit.flows.limiter import NOTHING_TAKEN, Limiter
from reseller_kit.telemetry.metrics import Metrics
from tests.unit.flows import test_call_money as money

MINUTE = 60_000_000
ONE_AT_ONCE = [Limit("customer", "concurrency", "cus_1", 1)]


def account(**changes: Any) -> KeyAccount:
    from msgspec.structs import replace

    return replace(money.ACCOUNT, **changes)


def limits(expected: tuple[int, int] = (10, 20), *, key: Any = None, **terms: Any) -> list[Limit]:
    return list(limits_of(money.make_storefront(limits=CallLimits(**terms)), account(**(key or {})), expected))


def test_without_limits_nothing_is_counted() -> None:
    assert limits() == []


def test_a_call_is_counted_by_key_customer_and_storefront() -> None:
    key = {"requests_per_minute": 1, "tokens_per_minute": 100, "concurrent_requests": 2}
    per_customer: dict[str, Any] = {"requests_per_minute": 3, "tokens_per_minute": 200, "concurrent_requests": 4}
    whole: dict[str, Any] = {f"tenant_{name}": value * 10 for name, value in per_customer.items()}
    found = {(limit.scope, limit.kind): limit for limit in limits(key=key, **per_customer, **whole)}
    assert len(found) == 9
    assert found["key", "tokens"] == Limit("key", "tokens", "key_1", 100, 30)
    assert found["customer", "concurrency"] == Limit("customer", "concurrency", "cus_1", 4, 1)
    assert found["tenant", "requests"] == Limit("tenant", "requests", "1", 30, 1)
    assert len({limit.name for limit in found.values()}) == 9


def test_a_call_fits_into_an_empty_minute_unless_its_input_does_not() -> None:
    (limit,) = limits((90, 5000), tokens_per_minute=100)
    assert limit.amount == 100
    with pytest.raises(InvalidRequest, match="about 101 tokens, more than your account may use in a minute"):
        limits((101, 1), tokens_per_minute=100)


def test_what_is_expected_of_a_call() -> None:
    assert tokens_expected(4001, 300, 2) == (1001, 600)
    assert tokens_expected(0, None, 1) == (0, 1024)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"requests_per_minute": 1}, "The limit of 1 requests per minute for your account is reached."),
        ({"tokens_per_minute": 30}, "The limit of 30 tokens per minute for your account is reached."),
        ({"concurrent_requests": 1}, "Too many requests of your account are under way at once: the limit is 1."),
        ({"tenant_requests_per_minute": 1}, "This service has reached its limit for the present minute."),
        ({"tenant_concurrent_requests": 1}, "Too many requests are under way at once."),
    ],
)
def test_what_the_caller_is_told(terms: dict[str, Any], words: str) -> None:
    counters, asked = Counters(), limits(**terms)
    counters.take(asked, 0)
    room = counters.take(asked, 1_000_000)
    error = refusal(asked, room)
    assert isinstance(error, RateLimited)
    assert (error.message, error.retry_after_seconds) == (words, 1 if "concurrent" in str(terms) else 60)


def test_callers_hear_of_their_own_limits_alone_and_of_the_closest() -> None:
    asked = limits(key={"requests_per_minute": 100}, requests_per_minute=5, tenant_requests_per_minute=1)
    rates = rates_of(asked, Counters().take(asked, 0))
    assert rates.requests == Rate(5, 4, MINUTE + 250_000)
    assert rates.tokens is None


async def test_a_call_that_is_over_makes_room_once() -> None:
    limiter = Limiter(Metrics())
    admissions = [await limiter.take(ONE_AT_ONCE) for _ in range(2)]
    assert [admission.room.refused for admission in admissions] == [None, 0]
    for _ in range(2):
        for admission in admissions:
            limiter.end(admission, 0)
    first, second = [await limiter.take(ONE_AT_ONCE) for _ in range(2)]
    assert (first.room.refused, second.room.refused) == (None, 0)
    assert await limiter.take([]) is NOTHING_TAKEN


class Others:
    """Stands for the shared counters: a server that is there or away, with one set of counters."""

    def __init__(self) -> None:
        self.away = False
        self.counters = Counters()
        self.told: list[dict[str, int]] = []
        self.granted: Callable[[Sequence[Limit]], None] = lambda _limits: None

    async def take(self, limits: Sequence[Limit]) -> Room:
        await asyncio.sleep(0)
        if self.away:
            raise Away("gone")
        room = self.counters.take(limits, 0)
        if room.refused is None:
            self.granted(limits)
        return room

    def end(self, limits: Sequence[Limit], tokens: int, *, taken: int) -> None:
        self.counters.end(limits, tokens, taken=taken, now=0)

    async def tell(self, open_now: Callable[[], Mapping[str, int]]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise Away("gone")
        self.told.append(dict(open_now()))


async def test_while_the_server_is_away_limits_hold_from_what_was_let_through_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reseller_kit.flows.limiter._LOOK_SECONDS", 0.001)
    monkeypatch.setattr("reseller_kit.flows.limiter._TELL_SECONDS", 0.001)
    metrics, others = Metrics(), Others()
    limiter: Any = Limiter(metrics)
    limiter._shared, others.granted = others, limiter._note
    two = [Limit("customer", "concurrency", "cus_1", 2), Limit("customer", "requests", "cus_1", 4)]
    keeping = asyncio.create_task(limiter.keep())
    while not limiter._together:
        await asyncio.sleep(0.001)
    first = await limiter.take(two)
    others.away = True
    second = await limiter.take(two)
    assert (first.room.refused, second.room.refused, second.shared) == (None, None, None)
    assert (await limiter.take(two)).room.refused == 0
    assert metrics.registry.get_sample_value("reseller_kit_shared_limits") == 0
    assert metrics.registry.get_sample_value("reseller_kit_limits_alone_total") == 2
    limiter.end(first, 0)
    others.told.clear()
    others.away = False
    while not limiter._together:
        await asyncio.sleep(0.001)
    # The first ended while nobody could be told.
    assert {"c:customer:cus_1": 1} in others.told
    assert metrics.registry.get_sample_value("reseller_kit_shared_limits") == 1
    limiter.end(second, 0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_what_has_ended_meanwhile_is_told_as_nothing() -> None:
    others = Others()
    limiter: Any = Limiter(Metrics())
    limiter._shared = others
    admission = await limiter.take(ONE_AT_ONCE)
    limiter.end(admission, 0)
    await limiter._tell(others)
    assert others.told == [{"c:customer:cus_1": 0}]
