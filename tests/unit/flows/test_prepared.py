"""What is prepared for the calls of a model, and until when it is good."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from reseller_kit.core.storefront import UpstreamConfig
from reseller_kit.flows.call.attempt import Attempts
from reseller_kit.flows.prepared import PreparedModels, candidate_of, prepare
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
    assert (found.only is not None) == ("up" in upstreams and upstreams["up"].apis != ())


def test_a_model_with_a_second_route_or_a_fallback_has_a_choice_and_no_only_route() -> None:
    upstreams = {"up": upstream(), "b": upstream("b")}
    for offered in (offer("m", route("up"), route("b")), offer("m", route("up"), fallbacks=("small",))):
        found = prepare(offered, make_storefront(), upstreams)
        assert (found.choice, found.only) == (True, None)


async def test_the_only_route_is_asked_as_its_upstream_is_configured_now() -> None:
    runtime = make_runtime({"up": Scripted(answered())})
    offered = offer("m", route("up"))
    job = make_job(offered)
    job.only = candidate_of(offered, offered.routes[0], upstream(base_url="http://before"))
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    reached = await Attempts(runtime, job, call).next()
    assert reached is not None
    assert reached.attempt.candidate.config is runtime.snapshot.upstreams["up"]
    job = make_job(offered)
    job.only = candidate_of(offered, offered.routes[0], runtime.snapshot.upstreams["up"])
    reached = await Attempts(runtime, job, call).next()
    assert reached is not None
    assert reached.attempt.candidate is job.only
