"""Which upstreams a call asks, how often, and what their circuits hear of it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from reseller_kit.core.catalog import OfferedModel
from reseller_kit.core.errors import UpstreamFailed, UpstreamRejected
from reseller_kit.core.storefront import UpstreamConfig
from reseller_kit.flows.call import routes as module
from reseller_kit.flows.call.attempt import Attempts
from reseller_kit.flows.call.candidates import Suits, candidates
from reseller_kit.flows.call.job import Job
from reseller_kit.flows.call.routes import Routes
from reseller_kit.flows.call.task import _counts_alike
from reseller_kit.flows.runtime import Runtime
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.wire import openai_chat
from reseller_kit.wire.task import Task
from tests.support.routing import ACCOUNT, Scripted, answered, make_job, make_runtime, offer, price, raising, route

ANY = Suits(lambda _config: True, lambda _model: True)
GOOD = answered()
DEAD = raising(TransportFailed("connect", "refused", before_bytes=True))
SLOW = raising(TransportFailed("timeout", "no head"))
STALE = raising(TransportFailed("reset", "closed", before_bytes=True, reused=True))
NO_SUCH_MODEL = answered(404, b'{"error":{"message":"The model `vendor` does not exist","code":"model_not_found"}}')
BROKE = answered(400, b'{"error":{"message":"Your credit balance is too low to access this API."}}')


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", (0.0, 0.0))


async def serve(runtime: Runtime, job: Job) -> str | None:
    """The upstream that answers; None where none does. A 2xx counts as a whole answer."""
    routes = Routes(runtime, job, candidates(runtime, job, ANY))
    while (attempt := await routes.take()) is not None:
        try:
            response = await routes.open(attempt, "/", b"")
        except UpstreamFailed:
            continue
        if response.status < 300:
            attempt.content()
            attempt.succeeded()
            return attempt.candidate.route.upstream
        await routes.refused(attempt, response)
    raise routes.exhausted()


@pytest.mark.parametrize(
    "fault", [DEAD, SLOW, *(answered(status) for status in (302, 401, 402, 403, 408, 409, 429, 500, 503, 529)), BROKE]
)
async def test_what_is_no_fault_of_the_request_is_asked_elsewhere(fault: Any) -> None:
    first, second = Scripted(fault), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    job = make_job(offer("m", route("first"), route("second", priority=1)))
    assert await serve(runtime, job) == "second"
    assert job.attempts == first.asked + second.asked <= 3


@pytest.mark.parametrize("status", [302, 405, 408, 409, 410, 418, 425, 499, 500, 529])
async def test_an_endpoint_that_answers_nothing_else_is_left_before_the_retries_run_out(status: int) -> None:
    first, second = Scripted(answered(status)), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    offered = offer("m", route("first"), route("second", priority=1))
    for _ in range(120):
        assert await serve(runtime, make_job(offered)) == "second"
    assert first.asked < 20


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_what_a_key_is_told_leaves_the_circuit_closed(status: int) -> None:
    first, second = Scripted(answered(status)), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    offered = offer("m", route("first"), route("second", priority=1))
    for _ in range(12):
        assert await serve(runtime, make_job(offered)) == "second"
    assert first.asked == 24, "over both of its keys each time"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_request_at_fault_is_asked_once(status: int) -> None:
    first, second = Scripted(answered(status, b'{"error":{"message":"Bad temperature here."}}')), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    with pytest.raises(UpstreamRejected) as refused:
        await serve(runtime, make_job(offer("m", route("first"), route("second", priority=1))))
    assert (refused.value.http_status, second.asked) == (status, 0)


async def test_an_upstream_that_does_not_know_its_model_is_left_in_the_end() -> None:
    first, second = Scripted(NO_SUCH_MODEL), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    offered = offer("m", route("first"), route("second", priority=1))
    for _ in range(8):
        assert await serve(runtime, make_job(offered)) == "second"
    assert first.asked == 5
    with pytest.raises(UpstreamFailed):
        await serve(make_runtime({"first": Scripted(NO_SUCH_MODEL)}), make_job(offer("m", route("first"))))


async def test_the_only_endpoint_is_asked_once_more_unless_that_takes_as_long_again() -> None:
    flaky, slow = Scripted(answered(503), GOOD), Scripted(SLOW, GOOD)
    runtime = make_runtime({"flaky": flaky, "slow": slow})
    job = make_job(offer("m", route("flaky")))
    assert await serve(runtime, job) == "flaky"
    assert job.attempts == 2
    with pytest.raises(UpstreamFailed):
        await serve(runtime, make_job(offer("n", route("slow"))))
    assert slow.asked == 1


async def test_a_call_whose_client_left_is_not_tried_again() -> None:
    first, second = Scripted(DEAD), Scripted(GOOD)
    runtime = make_runtime({"first": first, "second": second})
    job = make_job(offer("m", route("first"), route("second", priority=1)))
    job.caller.note.left = True
    with pytest.raises(UpstreamFailed):
        await serve(runtime, job)
    assert (first.asked, second.asked, job.attempts) == (1, 0, 1)


async def test_a_call_makes_three_requests_at_most() -> None:
    clients = {name: Scripted(DEAD) for name in "abcd"}
    job = make_job(offer("m", *(route(name, priority=place) for place, name in enumerate(clients))))
    with pytest.raises(UpstreamFailed):
        await serve(make_runtime(dict(clients)), job)
    assert [client.asked for client in clients.values()] == [1, 1, 1, 0]
    assert job.attempts == 3


async def test_a_connection_that_was_closed_meanwhile_is_a_request_of_its_own() -> None:
    stale = Scripted(STALE, GOOD)
    job = make_job(offer("m", route("stale")))
    assert await serve(make_runtime({"stale": stale}), job) == "stale"
    assert job.attempts == 2
    always, other = Scripted(STALE), Scripted(GOOD)
    job = make_job(offer("m", route("always"), route("other", priority=1)))
    assert await serve(make_runtime({"always": always, "other": other}), job) == "other"
    assert (always.asked, other.asked, job.attempts) == (2, 1, 3)


@pytest.mark.parametrize("told", [answered(401), answered(429), answered(503)])
async def test_the_last_request_is_for_another_upstream_though_the_first_closes_its_connections(told: Any) -> None:
    closing, other = Scripted(told, STALE, told), Scripted(GOOD)
    job = make_job(offer("m", route("closing"), route("other", priority=1)))
    assert await serve(make_runtime({"closing": closing, "other": other}), job) == "other"
    assert (other.asked, job.attempts) == (1, closing.asked + 1)
    alone = make_job(offer("m", route("closing")))
    assert await serve(make_runtime({"closing": Scripted(answered(401), STALE, GOOD)}), alone) == "closing"


async def test_a_bad_key_is_followed_by_another_and_then_by_another_upstream() -> None:
    first, second = Scripted(answered(401)), Scripted(GOOD)
    job = make_job(offer("m", route("first"), route("second", priority=1)))
    assert await serve(make_runtime({"first": first, "second": second}), job) == "second"
    assert (first.asked, job.attempts) == (2, 3)
    first.asked, first.keys = 0, 0
    job = make_job(offer("m", route("first"), route("second", priority=1)))
    assert await serve(make_runtime({"first": first, "second": second}), job) == "second"
    assert (first.asked, job.attempts) == (0, 1)


async def test_dead_upstreams_are_asked_no_more_and_the_call_is_told_when_to_come_back() -> None:
    clients = {"a": Scripted(DEAD), "b": Scripted(DEAD)}
    runtime = make_runtime(dict(clients))
    offered = offer("m", route("a"), route("b"))
    for _ in range(1_000):
        with pytest.raises(UpstreamFailed):
            await serve(runtime, make_job(offered))
    assert sum(client.asked for client in clients.values()) < 30
    job = make_job(offered)
    with pytest.raises(UpstreamFailed) as refused:
        await serve(runtime, job)
    assert (job.attempts, refused.value.retry_after_seconds) == (0, 1)


async def test_a_thousand_calls_at_once_against_dead_upstreams_make_twelve_hundred_requests() -> None:
    clients = {"a": Scripted(DEAD), "b": Scripted(DEAD)}
    runtime = make_runtime(dict(clients), a={"breaker": False}, b={"breaker": False})
    offered = offer("m", route("a"), route("b"))
    ends = await asyncio.gather(*(serve(runtime, make_job(offered)) for _ in range(1_000)), return_exceptions=True)
    assert all(isinstance(end, UpstreamFailed) for end in ends)
    assert sum(client.asked for client in clients.values()) == 1_200


async def test_a_burst_survives_the_death_of_one_of_two() -> None:
    clients = {"a": Scripted(DEAD), "b": Scripted(GOOD)}
    runtime = make_runtime(dict(clients))
    offered = offer("m", route("a"), route("b", priority=1))
    ends = await asyncio.gather(*(serve(runtime, make_job(offered)) for _ in range(64)))
    assert set(ends) == {"b"}
    assert sum(client.asked for client in clients.values()) <= 128


async def test_a_probe_frees_its_place_when_its_client_leaves() -> None:
    hanging = asyncio.Event()
    client = Scripted(DEAD)
    runtime = make_runtime({"a": client})
    offered = offer("m", route("a"))
    for _ in range(5):
        with pytest.raises(UpstreamFailed):
            await serve(runtime, make_job(offered))
    breaker = runtime.endpoints._breakers["a", "vendor"]
    breaker._until = 0.0
    breaker.claimed(asyncio.get_running_loop().time(), 30)

    async def hang(*_: Any, **__: Any) -> Any:
        client.asked += 1
        await hanging.wait()

    client.open = hang  # type: ignore[method-assign]
    probe = asyncio.create_task(serve(runtime, make_job(offered)))
    await asyncio.sleep(0.01)
    assert breaker.admission(asyncio.get_running_loop().time()) == "no"
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert breaker.admission(asyncio.get_running_loop().time()) == "probe"


async def test_a_route_is_looked_at_when_its_turn_comes() -> None:
    looked: list[str] = []

    def serves(config: UpstreamConfig) -> bool:
        looked.append(config.name)
        return True

    clients = {name: Scripted(GOOD) for name in "abcdef"}
    clients["a"] = Scripted(DEAD)
    runtime = make_runtime(dict(clients))
    job = make_job(offer("m", *(route(name, priority=place) for place, name in enumerate(clients))))
    routes = Routes(runtime, job, candidates(runtime, job, Suits(serves, lambda _model: True)))
    first = await routes.take()
    assert first is not None
    with pytest.raises(UpstreamFailed):
        await routes.open(first, "/", b"")
    second = await routes.take()
    assert second is not None
    assert (second.candidate.route.upstream, looked) == ("b", ["a", "b"])


# --- Fallbacks --------------------------------------------------------------------------------------------------------


def models() -> tuple[OfferedModel, OfferedModel]:
    return (
        offer("big", route("a"), fallbacks=("small",)),
        offer("small", route("b"), retail=10, max_output=50),
    )


async def test_a_fallback_answers_when_every_route_failed_and_is_shown_and_priced() -> None:
    big, small = models()
    runtime = make_runtime({"a": Scripted(DEAD), "b": Scripted(GOOD)})
    job = make_job(big, small)
    assert await serve(runtime, job) == "b"
    assert (job.served, job.shown, job.sent_limit) == (small, "small", 50)
    assert job.retail == (big.retail, small.retail)


async def test_what_a_fallback_refuses_is_no_refusal_of_what_was_asked_for() -> None:
    big, small = models()
    runtime = make_runtime({"a": Scripted(DEAD), "b": Scripted(answered(400, b'{"error":{"message":"Too hot."}}'))})
    with pytest.raises(UpstreamFailed):
        await serve(runtime, make_job(big, small))


@pytest.mark.parametrize("why", ["not offered", "alias", "key", "unpriced"])
async def test_a_model_that_the_customer_could_not_ask_for_is_no_fallback(why: str) -> None:
    big, small = models()
    runtime = make_runtime({"a": Scripted(DEAD), "b": Scripted(GOOD)})
    others = () if why == "not offered" else (replace(small, model="other"),) if why == "alias" else (small,)
    account = replace(ACCOUNT, models=("big",)) if why == "key" else ACCOUNT
    suits = Suits(lambda _config: True, lambda _model: why != "unpriced")
    found = candidates(runtime, make_job(big, *others, account=account), suits)
    assert [each.offered.name for each in found] == ["big"]


@pytest.mark.parametrize(
    ("classes", "alike"),
    [(("input",), True), (("input", "cached_input"), True), (("images",), False), (("input", "images"), False)],
)
def test_a_task_falls_back_to_a_model_that_is_counted_in_the_same_units(
    classes: tuple[str, ...], *, alike: bool
) -> None:
    task = SimpleNamespace(api="embeddings")
    asked = replace(offer("m", route("a")), retail=price("p", "retail", input=5))
    other = replace(asked, retail=price("q", "retail", **dict.fromkeys(classes, 3)))
    assert _counts_alike(other, asked, cast("Task", task)) is alike


# --- Conversations ----------------------------------------------------------------------------------------------------


async def test_a_conversation_goes_on_where_it_was_answered_unless_that_is_dearer_or_down() -> None:
    clients = {name: Scripted(GOOD) for name in ("a", "b", "dear")}
    runtime = make_runtime(dict(clients))
    a, b, dear = route("a"), route("b", priority=1), route("dear", priority=1, cost=99)
    offered = offer("m", a, b, dear)
    clients["a"].answers = [DEAD, GOOD]
    assert await serve(runtime, make_job(offer("m", a, b), conversation=7, remember=7, named=True)) == "b"
    assert await serve(runtime, make_job(offered, conversation=7, remember=7, named=True)) == "b"
    assert await serve(runtime, make_job(offered)) == "a"
    assert clients["b"].affinities == [7, 7]
    clients["a"].answers = [DEAD, GOOD]
    assert await serve(runtime, make_job(offer("m", a, dear), conversation=8, remember=8, named=True)) == "dear"
    assert await serve(runtime, make_job(offered, conversation=8, remember=8, named=True)) == "a"
    clients["b"].answers = [DEAD]
    assert await serve(runtime, make_job(offered, conversation=7, remember=7, named=True)) == "a"
    counted = runtime.metrics.render().decode()
    assert 'reseller_kit_conversations_total{outcome="same"} 1.0' in counted
    assert 'reseller_kit_conversations_total{outcome="moved"} 2.0' in counted


async def test_prompts_that_begin_alike_go_back_to_the_route_that_is_preferred() -> None:
    clients = {"a": Scripted(DEAD, DEAD, GOOD), "b": Scripted(GOOD)}
    runtime = make_runtime(dict(clients))
    offered = offer("m", route("a"), route("b", priority=1))
    assert [await serve(runtime, make_job(offered, conversation=7, remember=7)) for _ in range(3)] == ["b", "b", "a"]
    equal = offer("m", route("a"), route("b"))
    homes = {await serve(runtime, make_job(equal, conversation=7, remember=7)) for _ in range(8)}
    assert len(homes) == 1


async def test_a_conversation_stays_among_equals_of_one_price_and_leaves_one_that_is_dearer() -> None:
    clients = {name: Scripted(GOOD) for name in ("a", "b")}
    runtime = make_runtime(dict(clients))
    equal, dearer = offer("m", route("a"), route("b")), offer("m", route("a"), route("b", cost=99))
    for number in range(12):
        fresh = await serve(runtime, make_job(equal, conversation=number, remember=number))
        for home in ("a", "b"):
            runtime.endpoints.affinity.note(number, (home, "vendor"), asyncio.get_running_loop().time())
            assert await serve(runtime, make_job(equal, conversation=number, remember=number)) == home
        # It was at b, which costs more than a: there it stays only if it would be drawn anew.
        assert await serve(runtime, make_job(dearer, conversation=number, remember=number)) == fresh


async def test_prompts_that_begin_alike_probe_the_route_that_is_preferred() -> None:
    clients = {"a": Scripted(DEAD), "b": Scripted(GOOD)}
    runtime = make_runtime(dict(clients))
    offered = offer("m", route("a"), route("b", priority=1))
    for _ in range(6):
        assert await serve(runtime, make_job(offered, conversation=7, remember=7)) == "b"
    breaker = runtime.endpoints._breakers["a", "vendor"]
    clients["a"].answers = [GOOD]
    breaker._until = 0.0
    assert await serve(runtime, make_job(offered, conversation=7, remember=7)) == "b", "the probe is not claimed yet"
    breaker.claimed(asyncio.get_running_loop().time(), 30)
    assert await serve(runtime, make_job(offered, conversation=7, remember=7)) == "a"
    assert breaker.state(0.0) == "closed"


async def test_short_first_turns_go_by_weight_and_the_second_follows_the_first() -> None:
    clients = {"a": Scripted(GOOD), "b": Scripted(GOOD)}
    runtime = make_runtime(dict(clients))
    offered = offer("m", route("a", weight=3), route("b", weight=1))
    firsts = [await serve(runtime, make_job(offered, remember=7)) for _ in range(60)]
    assert set(firsts) == {"a", "b"}
    for _ in range(5):
        assert await serve(runtime, make_job(offered, conversation=7, remember=7)) == firsts[-1]
    assert clients[str(firsts[-1])].affinities[-1] == 7


async def test_a_call_that_is_over_is_let_go_without_the_collector() -> None:
    """Bodies and answers in a circle stay until it is found, and then cost more than the routes that were not asked."""
    runtime = make_runtime({"first": Scripted(GOOD), "second": Scripted(GOOD)})
    offered = offer("m", route("first"), route("second", priority=1))
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    attempts = Attempts(runtime, make_job(offered), call)
    assert await attempts.next() is not None
    left = weakref.ref(attempts)
    gc.disable()
    try:
        del attempts
        assert left() is None
    finally:
        gc.enable()
