"""Two servers on one database and one Redis or Valkey: limits are those of both together, and outlive its absence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from scripts._lib import redis
from scripts._lib.redis import RedisServer
from tests.support import raw_http
from tests.support.product import TEMPLATE, Customer, Shop, chat_request, eventually, open_shop

LEASE_SECONDS = 10

pytestmark = pytest.mark.redis


class Pair:
    """The same storefronts behind two servers."""

    def __init__(self, one: Shop, other: Shop, redis: RedisServer) -> None:
        self.one, self.other, self.redis = one, other, redis

    def statuses(self, customer: Customer, count: int, text: str = "Hi", model: str = "gpt-5-mini") -> list[int]:
        """As many calls at once, half of them to each server."""
        return asyncio.run(self._statuses(customer, count, text, model))

    async def _statuses(self, customer: Customer, count: int, text: str, model: str) -> list[int]:
        body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            calls = [
                client.post(
                    f"http://127.0.0.1:{(self.one, self.other)[n % 2].server.port}/v1/chat/completions",
                    json=body,
                    headers=customer.headers,
                )
                for n in range(count)
            ]
            return sorted(answer.status_code for answer in await asyncio.gather(*calls))

    def together(self, expected: float) -> None:
        """Wait until both count together, or both alone."""
        for shop in (self.one, self.other):
            eventually(lambda shop=shop: metric(shop, "reseller_kit_shared_limits") == expected, "the cache")  # type: ignore[misc]


def metric(shop: Shop, name: str) -> float | None:
    """A figure of a server's metrics."""
    text = shop.get("/metrics", "desk.localhost").text
    return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), None)


SCARCE = """
[upstreams.bottleneck]
dialect = "openai"
base_url = "$mainspring"
api_keys = ["env:MAINSPRING_KEY"]
max_concurrency = 2
queue = { length = 60, length_per_tenant = 40, seconds = 15 }

[upstreams.rationed]
dialect = "openai"
base_url = "$mainspring"
api_keys = ["env:MAINSPRING_KEY"]
requests_per_minute = 30

[models."gpt-scarce"]
context = 128000
max_output = 2000
routes = [{ upstream = "bottleneck", model = "vendor-scarce", timeouts = { total = 5, idle = 4.5 } }]
cost = { input = "0.25", output = "2.00" }

[models."gpt-rationed"]
context = 128000
max_output = 2000
routes = [{ upstream = "rationed", model = "vendor-rationed" }]
cost = { input = "0.25", output = "2.00" }

[wholesale]
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers with a cache, and models of which little is to be had."""
    folder = tmp_path_factory.mktemp("pair")
    template = folder / "template.toml"
    template.write_text(TEMPLATE.read_text().replace("[wholesale]\n", SCARCE, 1))
    with (
        redis.running_redis() as server,
        open_shop(folder, template=template, environment={"RESELLER_KIT_CACHE_URL": server.url}) as one,
        one.beside() as other,
    ):
        made = Pair(one, other, server)
        made.together(1)
        yield made


def test_limits_are_those_of_all_servers_together(pair: Pair) -> None:
    paced = pair.one.customer("paced")
    assert pair.statuses(paced, 12) == [200] * 3 + [429] * 9
    hasty = pair.one.customer(rpm="20")
    assert pair.statuses(hasty, 40) == [200] * 20 + [429] * 20
    narrow = pair.one.customer("narrow")
    assert pair.statuses(narrow, 8, "Hi [[delay=4]]") == [200] * 2 + [429] * 6
    assert pair.statuses(narrow, 2) == [200, 200]
    # Each call sets 67 tokens aside and uses 1,020 of the 1,000.
    weighed = pair.one.customer("weighed")
    assert pair.statuses(weighed, 1, "[[input=1000 output=20]]") == [200]
    assert pair.statuses(weighed, 4) == [429] * 4
    pair.one.assert_books_are_right()


def test_what_a_killed_server_had_under_way_is_forgotten_with_its_lease(pair: Pair) -> None:
    narrow = pair.one.customer("narrow")
    with pair.one.beside() as victim, ExitStack() as stack:
        for _ in range(2):
            opened = stack.enter_context(raw_http.connection(victim.server.port))
            opened.sendall(chat_request(narrow, "[[output=500 pace=0.1]]", stream=True))
            raw_http.read_until(opened, b"brown")
        assert pair.one.call(narrow).status_code == 429
        victim.server.child.process.kill()
        began = time.monotonic()
        eventually(lambda: pair.one.call(narrow).status_code == 200, "room", LEASE_SECONDS + 20)
        assert time.monotonic() - began > 2, "not before the server can be taken for dead"


def test_without_the_cache_every_server_goes_on_by_itself(pair: Pair) -> None:
    hasty = pair.one.customer(rpm="20")
    assert pair.statuses(hasty, 10) == [200] * 10
    pair.redis.stop()
    # Each server let five through before, as far as it knows.
    assert pair.statuses(hasty, 40) == [200] * 30 + [429] * 10
    pair.together(0)
    for shop in (pair.one, pair.other):
        assert shop.log().count("the cache is away") == 1
        assert (metric(shop, "reseller_kit_limits_alone_total") or 0) >= 20
    pair.redis.start()
    pair.together(1)
    fresh = pair.one.customer(rpm="20")
    assert pair.statuses(fresh, 30) == [200] * 20 + [429] * 10


def test_a_burst_of_one_storefront_holds_up_no_other(pair: Pair) -> None:
    shop = pair.one
    greedy, modest = shop.customer(), shop.customer("lunaris")

    def ask(customer: Customer, text: str) -> tuple[httpx.Response, float]:
        answer = shop.call(customer, text, "gpt-scarce", max_tokens=10)
        return answer, time.monotonic()

    with ThreadPoolExecutor(60) as pool:
        # The first two hold both slots until the others have come.
        burst = [pool.submit(ask, greedy, "[[delay=4]]") for _ in range(2)]
        eventually(lambda: metric(shop, "reseller_kit_open_calls") == 2, "both slots taken")
        burst += [pool.submit(ask, greedy, "[[delay=0.2]]") for _ in range(48)]
        eventually(lambda: metric(shop, "reseller_kit_open_calls") == 42, "a full queue")
        patient, ended_at = ask(modest, "[[delay=0.2]]")
        outcomes = [future.result() for future in burst]
    assert patient.status_code == 200
    served = [at for answer, at in outcomes if answer.status_code == 200]
    assert len(served) == 42, "two at once and forty that waited"
    assert sum(at < ended_at for at in served) < 16
    for answer, _ in outcomes:
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
            assert answer.headers["retry-after"] == "1"
            assert "x-should-retry" not in answer.headers
    shop.assert_books_are_right()


def test_an_upstreams_own_limits_and_a_routes_deadlines(pair: Pair) -> None:
    shop = pair.one
    customer = shop.customer()
    began = time.monotonic()
    endless = shop.call(customer, "[[output=900 pace=0.05]]", "gpt-scarce", max_tokens=1000, stream=True)
    assert b"[DONE]" not in endless.content
    assert b'"code":"service_unavailable"' in endless.content
    assert time.monotonic() - began < 20
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.call(customer, "Hi", "gpt-rationed", max_tokens=10), range(40)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(503)) == (30, 10)
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert "x-should-retry" not in refused.headers
    assert "rationed-" not in refused.text
    anthropic = shop.http.post(
        f"{customer.origin}/v1/messages",
        json={"model": "gpt-rationed", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]},
        headers=customer.headers,
    )
    assert (anthropic.status_code, anthropic.json()["error"]["type"]) == (503, "overloaded_error")
    assert "retry-after" in anthropic.headers
    shop.assert_books_are_right()


def test_two_servers_keep_to_one_upstreams_slots(pair: Pair) -> None:
    customer = pair.one.customer()
    began = time.monotonic()
    assert pair.statuses(customer, 12, "[[delay=0.4]]", "gpt-scarce") == [200] * 12
    # Two at once of 0.4 s each: twelve calls are six turns.
    assert time.monotonic() - began > 2.4
    pair.one.assert_books_are_right()
