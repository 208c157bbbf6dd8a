"""The pages of models and prices on the real server: what they find, what they work out, and what they never tell."""

from __future__ import annotations

import html
import math
import re
import time
from fractions import Fraction
from typing import Any

import pytest

from reseller_kit.core.times import format_time
from tests.support.product import Customer, Shop, eventually
from tests.support.snippets import Code

HOST = "solaria.localhost"
HIDDEN = ("wholesale", "cost_price", "mainspring", "sparewheel", "rawfeed", "vendor", "zephyrline", "upstream")
_CARD = re.compile(r'<article class="card model" data-model="([^"]+)"')
_COST = re.compile(r'data-cost="([^"]+)".*?<td class="num"[^>]*>\$([0-9.,]+)</td>.*?<strong>\$([0-9.,]+)</strong>')


def same(text: str) -> str:
    return re.sub(r'nonce="[^"]*"', "", text)


def found(shop: Shop, query: str) -> list[str]:
    answer = shop.get(f"/models{query}", HOST)
    assert answer.status_code == 200, query
    return _CARD.findall(answer.text)


@pytest.mark.parametrize("slug", ["solaria", "lunaris"])
def test_the_calculator_charges_as_calls_are_charged(any_shop: Shop, slug: str) -> None:
    # 6,000 input tokens reach the long reader's tier; 33 % of them are 1,980.
    query = "/pricing?chats=10,000&input=6000&output=301&cached=33"
    rows = _COST.findall(any_shop.get(query, f"{slug}.localhost").text.replace("\n", " "))
    assert len(rows) >= 4
    for name, each, total in rows:
        model = any_shop.oracle.public_model(slug, name)
        prices = [
            any_shop.oracle.retail(slug, model, usage_class, 6000)
            for usage_class in ("input", "cached_input", "output")
        ]
        parts = (tokens * price for tokens, price in zip((4020, 1980, 301), prices, strict=True))
        nano = math.ceil(sum(parts, Fraction(0)) / 10**6 * 10**9)
        assert Fraction(each.replace(",", "")) == Fraction(nano, 10**9), name
        assert Fraction(total.replace(",", "")) == 10_000 * Fraction(nano, 10**9), name
    assert "tiny" not in [name for name, _, _ in rows[:-1]], "what a chat is too long for comes last"
    totals = [Fraction(total.replace(",", "")) for name, _, total in rows if name != "tiny"]
    assert totals == sorted(totals)


def test_one_chat_of_the_calculator_is_one_call_of_the_ledger(shop: Shop) -> None:
    customer = shop.customer()
    called = shop.call(customer, "[[input=900 cached=270 output=40]]", model="gpt-5")
    used = called.json()["usage"]
    size = f"input={used['prompt_tokens']}&output={used['completion_tokens']}"
    cached = used["prompt_tokens_details"]["cached_tokens"] * 100 // used["prompt_tokens"]
    assert used["prompt_tokens"] * cached // 100 == used["prompt_tokens_details"]["cached_tokens"]
    page = shop.get(f"/pricing?chats=1&{size}&cached={cached}", HOST).text.replace("\n", " ")
    each = {name: amount for name, amount, _ in _COST.findall(page)}
    assert each["gpt-5"] == shop.record(customer, called.headers["x-request-id"])["retail"]


@pytest.mark.parametrize(
    "query", ["chats=0", "chats=many", "input=-1", "cached=101", "output=1.5", "chats=" + "9" * 400, "input=%D9%A1"]
)
def test_what_is_no_number_is_said_beside_its_field(any_shop: Shop, query: str) -> None:
    answer = any_shop.get(f"/pricing?{query}", HOST)
    assert answer.status_code == 422
    name = query.partition("=")[0]
    assert f'id="{name}-problem"' in answer.text
    assert 'role="alert"' in answer.text
    assert "data-cost" not in answer.text


def test_models_are_found_by_what_is_known_of_them(any_shop: Shop) -> None:
    everything = found(any_shop, "")
    assert {"gpt-5", "gpt-5-mini", "long-reader", "solaria-fast", "tiny"} <= set(everything)
    assert found(any_shop, "?q=READ") == ["long-reader"]
    assert found(any_shop, "?family=gpt") == ["gpt-5", "gpt-5-mini"]
    assert found(any_shop, "?context=1000000") == ["long-reader"]
    assert found(any_shop, "?price=0.50") == ["gpt-5-mini", "solaria-fast"]
    assert found(any_shop, "?modality=image") == []
    assert found(any_shop, "?sort=context")[0] == "long-reader"
    assert found(any_shop, "?context=x&price=7&modality=x&sort=%00") == everything


def test_models_are_compared_side_by_side(any_shop: Shop) -> None:
    page = any_shop.get("/models/compare?m=gpt-5&m=long-reader&m=nowhere&m=gpt-5", HOST)
    assert page.status_code == 200
    heads = re.findall(r'<th scope="col" class="num"><a[^>]*><code>([^<]+)', page.text)
    assert heads == ["gpt-5", "long-reader"]
    many = any_shop.get("/models/compare?" + "&".join(f"m={name}" for name in found(any_shop, "")), HOST)
    assert many.text.count('<th scope="col" class="num">') == 4
    assert any_shop.get("/models/compare", HOST).status_code == 200


def test_a_models_page_tells_its_prices_and_how_it_is_called(any_shop: Shop) -> None:
    page = any_shop.get("/models/long-reader", HOST)
    shown = html.unescape(re.sub("<[^>]+>", "", page.text))
    for prompt in (1, 6000):
        for usage_class in ("input", "output"):
            price = any_shop.oracle.retail("solaria", "long-reader", usage_class, prompt)
            assert f"${float(price):.2f}" in shown
    code = Code(page.text)
    assert '"long-reader"' in code.blocks["code"] or "long-reader:generateContent" in code.blocks["code"]
    for label in ("curl", "Python", "Node", "Responses", "Anthropic", "Gemini"):
        assert f">{label}</label>" in page.text


def test_another_storefronts_model_is_an_unknown_one(any_shop: Shop) -> None:
    foreign, unknown = (any_shop.get(f"/models/{name}", "lunaris.localhost") for name in ("solaria-fast", "nothing"))
    assert foreign.status_code == unknown.status_code == 404
    # All that differs is the path, which the page's own address has, and what is new on every page.
    assert same(foreign.text.replace("solaria-fast", "nothing")) == same(unknown.text)
    compared = any_shop.get("/models/compare?m=solaria-fast", "lunaris.localhost").text
    assert "solaria-fast" not in compared


def test_prices_are_there_for_programs(any_shop: Shop) -> None:
    answer = any_shop.get("/pricing.json", HOST, origin="https://elsewhere.example")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "set-cookie" not in answer.headers
    document = answer.json()
    assert document["currency"] == "USD"
    rows = {row["name"]: row for row in document["models"]}
    assert set(rows) == set(found(any_shop, ""))
    assert (rows["gpt-5"]["context"], rows["gpt-5"]["max_output"]) == (400_000, 1000)
    for name, row in rows.items():
        model = any_shop.oracle.public_model("solaria", name)
        for above, prices in ((0, row["prices"]), *((tier["above_input"], tier["prices"]) for tier in row["tiers"])):
            for usage_class in ("input", "cached_input", "output"):
                exact = any_shop.oracle.retail("solaria", model, usage_class, above + 1)
                assert Fraction(prices[usage_class]) == exact, (name, usage_class, above)
                assert document["units"][usage_class] == "million_tokens"
    assert [tier["above_input"] for tier in rows["long-reader"]["tiers"]] == [5000]


def test_a_price_to_come_stands_in_the_programs_list_too(any_shop: Shop) -> None:
    moments = [format_time(int(time.time() + days * 86_400) * 1_000_000) for days in (2, 400)]
    made = [
        any_shop.ask("price", "schedule", "--tenant", "partaker", "--markup", f"{50 + place}%", "--effective-from", at)
        for place, at in enumerate(moments)
    ]
    try:

        def scheduled() -> list[dict[str, Any]]:
            (row, *_) = any_shop.get("/pricing.json", "partaker.localhost").json()["models"]
            rows: list[dict[str, Any]] = row["scheduled"]
            return rows

        # Customers are told a fortnight ahead: the later change is nobody's business yet.
        (change,) = eventually(scheduled, "the change to come")
        assert change["effective_from"].rstrip("Z")[:19] == moments[0].rstrip("Z")[:19]
        assert change["prices"].keys() >= {"input", "output"}
    finally:
        for change in made:
            any_shop.ask("price", "cancel", "--tenant", "partaker", change["id"])


@pytest.mark.parametrize("path", ["/pricing.json", "/models", "/models/two-ways", "/pricing", "/models/compare?m=raw"])
def test_no_page_tells_what_is_behind_the_price(any_shop: Shop, path: str) -> None:
    answer = any_shop.get(path, HOST)
    assert answer.status_code == 200
    shown = answer.text.lower()
    assert [word for word in HIDDEN if word in shown] == []
    for model in ("gpt-5-mini", "two-ways"):
        for price in (
            any_shop.oracle.cost(model, "output", 1),
            any_shop.oracle.wholesale("solaria", model, "output", 1),
        ):
            assert f'"{float(price):.2f}"' not in answer.text
            assert f"${float(price):.2f}<" not in answer.text


def test_models_stay_json_for_those_who_bear_a_key(any_shop: Shop) -> None:
    customer: Customer = any_shop.customer()
    assert any_shop.get("/models", HOST, authorization=f"Bearer {customer.key}").json()["object"] == "list"
    one = any_shop.get("/models/gpt-5", HOST, authorization=f"Bearer {customer.key}").json()
    assert (one["id"], one["object"]) == ("gpt-5", "model")
    assert any_shop.get("/models", "api.solaria.localhost").status_code == 401
    assert any_shop.get("/pricing.json", "api.solaria.localhost").status_code == 401
    feed = any_shop.get("/pricing.json", "api.solaria.localhost", authorization=f"Bearer {customer.key}")
    assert (feed.json()["object"], feed.headers["cache-control"]) == ("price_list", "no-store")
    assert any_shop.get("/pricing.json", "sketch.localhost").status_code == 503
