"""The reseller's money with the operator, as it shows (and does not show) from outside of a running server."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import httpx

from tests.support.product import Customer, Shop, eventually
from tests.support.raw_upstream import RESET

# What would tell a customer that its reseller's purse is empty.
TELLING = ("wholesale", "balance", "reseller", "deposit", "overdraft", "accru", "settlement", "prepaid", "fund", "$")
PAGES = ("/", "/pricing", "/models", "/docs", "/status")


def says_nothing(text: str) -> bool:
    return not any(word in text.lower() for word in TELLING)


def seen(answer: httpx.Response) -> str:
    """All that an answer says, without what every answer says."""
    own = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}
    return json.dumps(own) + answer.text


def test_an_empty_wholesale_balance_shows_nowhere(shop: Shop) -> None:
    """Not in the answer, the credits, the usage or the pages: it looks like a service that is not there."""
    customer = shop.customer("partaker")
    refused = shop.call(customer, max_tokens=100_000)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "service_unavailable"
    assert says_nothing(seen(refused))
    streamed = shop.call(customer, max_tokens=100_000, stream=True)
    assert (streamed.status_code, streamed.json()) == (503, refused.json())
    assert "x-output-limit" not in refused.headers
    wallet = shop.http.get(f"{customer.origin}/v1/credits", headers=customer.headers)
    assert wallet.json() == {"currency": "USD", "balance": "5.00", "held": "0.00", "available": "5.00", "debt": "0.00"}
    assert "payment" not in seen(wallet)
    for request_id in (refused.headers["x-request-id"], streamed.headers["x-request-id"]):
        assert shop.journal(request_id) == []
        record = shop.http.get(f"{customer.origin}/v1/usage/{request_id}", headers=customer.headers)
        assert record.status_code == 404
        assert says_nothing(seen(record))
    usage = shop.http.get(f"{customer.origin}/v1/usage", headers=customer.headers)
    assert usage.json()["records"] == []
    before = {path: shop.get(path, "pauper.localhost").status_code for path in PAGES}
    assert before == {path: shop.get(path, "partaker.localhost").status_code for path in PAGES}
    for path in PAGES:
        text = shop.get(path, "partaker.localhost").text.lower()
        assert not any(word in text for word in ("wholesale", "overdraft", "reseller", "settlement")), path


def test_a_revenue_share_gives_away_no_more_than_its_overdraft(shop: Shop) -> None:
    """Given credit has no cash behind it: calls take the share below zero, as far as agreed, and no further."""
    customer = shop.customer("partaker")
    answer = shop.call(customer)
    assert answer.status_code == 200
    assert int(answer.headers["x-output-limit"]) >= 256, "a short share lowers the limit first"
    answers = [shop.call(customer, "Hi [[output=2000]]", max_tokens=2_000) for _ in range(6)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 503}
    share = shop.ask("wholesale", "balance", "--tenant", "partaker")
    assert share["settlement"] == "revenue_share"
    assert Fraction("-0.01") <= Fraction(share["balance"]) < 0
    assert share["payable"] == "0.00"
    code, refusal = shop.try_("payout", "request", "--tenant", "partaker")
    assert (code, refusal["error"]["code"]) == (1, "insufficient_quota")
    assert_margins(shop, "partaker")
    assert_settlement_changes_live(shop, customer, Fraction(share["balance"]))
    shop.assert_books_are_right()


def assert_settlement_changes_live(shop: Shop, customer: Customer, share: Fraction) -> None:
    """Under the other settlement calls draw on the other account, and the share stays as it was."""
    changed = shop.text.replace('settlement = "revenue_share"', 'settlement = "prepaid"')
    try:
        assert len(shop.apply(changed)) == 1
        shop.ask("wholesale", "deposit", "--tenant", "partaker", "--amount", "1.00", "--reason", "test")
        eventually(lambda: shop.call(customer, max_tokens=2_000).status_code == 200, "the change")
        prepaid = shop.ask("wholesale", "balance", "--tenant", "partaker")
        assert prepaid["settlement"] == "prepaid"
        assert 0 < Fraction(prepaid["balance"]) < 1
    finally:
        shop.apply(shop.text)
    assert Fraction(shop.ask("wholesale", "balance", "--tenant", "partaker")["balance"]) == share


def assert_margins(shop: Shop, slug: str) -> None:
    report: dict[str, Any] = shop.ask("wholesale", "margin", "--tenant", slug)
    records = shop.ask("usage", "list", "--tenant", slug, "--limit", "1000")["records"]
    total = report["total"]
    assert total["calls"] == len(records) > 0
    for name in ("retail", "wholesale", "cost"):
        assert Fraction(total[name]) == sum(Fraction(record[name]) for record in records)
    assert Fraction(total["operator_margin"]) == Fraction(total["wholesale"]) - Fraction(total["cost"]) > 0


def test_margins_follow_the_route_that_served(shop: Shop) -> None:
    """The dearer backup costs the operator more; reseller and customer pay the same."""
    customer = shop.customer("turning")
    shop.rawfeed.will([RESET])
    answer = shop.call(customer, "Hi [[output=50]]", "two-ways", max_tokens=100)
    assert answer.status_code == 200
    record = shop.record(customer, answer.headers["x-request-id"])
    assert record["upstream"] == "sparewheel"
    assert_margins(shop, "turning")
