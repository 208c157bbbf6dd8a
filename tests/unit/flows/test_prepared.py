"""What is prepared for the calls of a model, and until when it is good."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reseller_kit.core.catalog import Route, Strategy
from reseller_kit.core.routing import EndpointName, endpoint_of
from reseller_kit.core.storefront import UpstreamConfig
from reseller_kit.flows.call.attempt import Attempts, candidates_of
from reseller_kit.flows.prepared import Candidate, PreparedModels, candidate_of, prepare
from reseller_kit.wire import openai_chat
from tests.support.pools import key_pool
from tests.support.routing import Scripted, answered, make_job, make_runtime, offer, price, route
from tests.unit.flows.test_call_money import make_storefront

ONE_KEY, TWO_KEYS = key_pool("key 1"), key_pool("key 1", "key 2")


def upstream(name: str = "up", **changes: Any) -> UpstreamConfig:
    values: dict[str, Any] = {"dialect": "openai", "base_url": "", "provider": "openai", "headers": (), "settings": {}}
    return UpstreamConfig(**{"name": name, "api_keys": ONE_KEY, **values, **changes})


def test_it_is_good_until_the_storefront_the_model_or_an_upstream_is_read_again() -> None:
    prepared, offered, storefront = PreparedModels(), offer("m", route("up")), make_storefront()
    upstreams = {"up": upstream()}
    first = prepared.of(offered, storefront, upstreams)
    assert prepared.of(offered, storefront, upstreams) is first
    other = replace(storefront, overdraft=5)
    assert prepared.of(offered, other, upstreams).storefront is other
    dearer = replace(offered, retail=price("dear", "retail", input=99, output=99))
    assert prepared.of(dearer, storefront, upstreams).retail[0].per_input == 99
    again = {"up": upstream(api_keys=TWO_KEYS)}
    assert (first.choice, prepared.of(offered, storefront, again).choice) == (False, True)


@pytest.mark.parametrize(
    ("upstreams", "prices", "generates"),
    [
        ({"up": upstream()}, {"input": 1, "output": 1}, True),
        ({}, {"input": 1, "output": 1}, True),
        ({"up": upstream(settings={"api": ["embeddings"]})}, {"input": 1, "output": 1}, False),
        ({"up": upstream()}, {"input": 1}, False),
    ],
    ids=["serves", "unknown", "embeds", "unpriced"],
)
def test_whether_a_model_generates(
    upstreams: dict[str, UpstreamConfig], prices: dict[str, int], *, generates: bool
) -> None:
    offered = replace(offer("m", route("up")), retail=price("p", "retail", **prices))
    found = prepare(offered, make_storefront(), upstreams)
    assert found.generates is generates
    assert (found.first is not None) == ("up" in upstreams and upstreams["up"].apis != ())


def test_a_model_with_a_second_route_or_a_fallback_has_a_choice_and_no_only_route() -> None:
    upstreams = {"up": upstream(), "b": upstream("b")}
    behind = route("b", priority=1)
    for offered in (offer("m", route("up"), behind), offer("m", route("up"), fallbacks=("small",))):
        found = prepare(offered, make_storefront(), upstreams)
        assert found.choice
        assert found.first is not None
        assert not found.first.only
    alone = prepare(offer("m", route("up")), make_storefront(), upstreams).first
    assert alone is not None
    assert alone.only


@pytest.mark.parametrize(
    ("routes", "strategy"),
    [
        ([route("up"), route("b")], "priority"),
        ([route("up"), route("b", priority=1)], "weighted"),
        ([route("up"), route("b", priority=1)], "lowest_cost"),
        ([route("up"), route("b", priority=1)], "fastest"),
        ([route("gone"), route("b", priority=1)], "priority"),
        ([route("embeds"), route("b", priority=1)], "priority"),
        ([], "priority"),
    ],
)
def test_nothing_is_first_where_it_hangs_on_the_call_or_its_upstream_serves_none(
    routes: list[Route], strategy: Strategy
) -> None:
    upstreams = {"up": upstream(), "b": upstream("b"), "embeds": upstream("embeds", settings={"api": ["embeddings"]})}
    assert prepare(offer("m", *routes, strategy=strategy), make_storefront(), upstreams).first is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=5, unique=True),
    st.one_of(st.none(), st.sampled_from("abc")),
)
async def test_what_is_known_to_be_first_changes_no_order(places: list[tuple[str, int]], home: str | None) -> None:
    runtime = make_runtime({name: Scripted(answered(503)) for name in "abc"})
    routes = [route(name, model=f"m{place}", priority=place) for name, place in places]
    offered = offer("m", *routes)
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    known = next((each for each in routes if each.upstream == home), None)
    if known is not None:
        runtime.endpoints.affinity.note(7, endpoint_of(known), time.monotonic())

    def ordered(first: Candidate | None) -> list[EndpointName]:
        job = make_job(offered, conversation=7, remember=7, named=True)
        job.first = first
        return [each.endpoint for each in candidates_of(runtime, job, call)]

    first = prepare(offered, make_storefront(), runtime.snapshot.upstreams).first
    assert ordered(first) == ordered(None)
    assert len(ordered(first)) == len(routes)


async def test_the_only_route_is_asked_as_its_upstream_is_configured_now() -> None:
    runtime = make_runtime({"up": Scripted(answered())})
    offered = offer("m", route("up"))
    job = make_job(offered)
    job.first = candidate_of(offered, offered.routes[0], upstream(base_url="http://before"), only=True)
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    reached = await Attempts(runtime, job, call).next()
    assert reached is not None
    assert reached.attempt.candidate.config is runtime.snapshot.upstreams["up"]
    job = make_job(offered)
    job.first = candidate_of(offered, offered.routes[0], runtime.snapshot.upstreams["up"], only=True)
    reached = await Attempts(runtime, job, call).next()
    assert reached is not None
    assert reached.attempt.candidate is job.first
