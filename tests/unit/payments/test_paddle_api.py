"""Paddle's API as it is asked: through threads, with its faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest, ServiceUnavailable
from reseller_kit.core.ids import new_id
from reseller_kit.core.payment import Pin
from reseller_kit.payments import Catalogue, Checked, Previews, Provider, Purchase, RefundWanted, SelfService
from reseller_kit.payments.base import CatalogueItem, CatalogueRef
from reseller_kit.payments.paddle import Account, Paddle
from reseller_kit.payments.paddle.api import Refused
from reseller_kit.payments.references import order_of
from tests.support.scripted_http import Asked, Reply, Scripted, scripted

KEY = b"k" * 32
ORDER = new_id("ord")
DOLLARS = 1_000_000_000
PAGE = {"pagination": {"has_more": False}}
PURCHASE = Purchase(reference=ORDER, title="Starter", price_nano=10 * DOLLARS, email="Ada@example.com")


@pytest.fixture
def script() -> Iterator[Scripted]:
    with scripted(lambda _: Reply(status=500)) as server:
        yield server


@pytest.fixture
def paddle(script: Scripted) -> Iterator[Paddle]:
    provider = Paddle(Account(api_key="key_1", webhook_secret="s", environment=script.url, reference_key=KEY))
    yield provider
    provider.close()


def transaction(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    item = body["items"][0]
    price = {"id": item["price_id"]} if "price_id" in item else {**item["price"], "id": "pri_inline"}
    return {
        "id": "txn_1",
        "status": "ready",
        "currency_code": body["currency_code"],
        "items": [{"price": price, "quantity": 1}],
        "details": {"totals": {"subtotal": "1000", "tax": "0", "total": "1000"}},
        "checkout": {"url": "https://pay.aurora.example/pay?_ptxn=txn_1"},
        "updated_at": "2026-04-12T10:18:48Z",
        **changes,
    }


def shop(asked: Asked) -> Reply:
    """An account with one customer."""
    match asked.method, asked.path:
        case "GET", "/customers":
            return Reply({"data": [{"id": "ctm_1", "email": "ada@example.com"}], "meta": PAGE})
        case "POST", "/transactions":
            return Reply({"data": transaction(asked.body)}, 201)
        case _:
            return Reply({"error": {"code": "not_found", "detail": "Nothing here."}}, 404)


async def test_it_is_every_kind_of_provider(paddle: Paddle) -> None:
    assert isinstance(paddle, (Catalogue, Checked, Previews, SelfService))
    of: Provider = paddle
    assert of.name == "paddle"


async def test_a_checkout_of_a_catalogue_price(paddle: Paddle, script: Scripted) -> None:
    script.answer = shop
    item = CatalogueRef(product_ref="pro_1", price_ref="pri_1")
    purchase = Purchase(reference=ORDER, title="S", price_nano=10 * DOLLARS, email="ada@example.com", item=item)
    opened = await paddle.open_checkout(purchase)
    assert opened.pin == paddle.pin(purchase) == Pin(price_ref="pri_1", currency="USD", subtotal=1000)
    assert (opened.provider_ref, opened.url) == ("txn_1", "https://pay.aurora.example/pay?_ptxn=txn_1")
    sent = script.asked[-1]
    assert sent.body["items"] == [{"price_id": "pri_1", "quantity": 1}]
    assert sent.body["customer_id"] == "ctm_1"
    assert order_of(KEY, sent.body["custom_data"]["order"]) == ORDER
    assert sent.headers["authorization"] == "Bearer key_1"


async def test_a_free_amount_is_a_price_of_its_own(paddle: Paddle, script: Scripted) -> None:
    script.answer = shop
    opened = await paddle.open_checkout(PURCHASE)
    assert opened.pin == Pin(price_ref="pri_inline", currency="USD", subtotal=1000)
    price = script.asked[-1].body["items"][0]["price"]
    assert price["unit_price"] == {"amount": "1000", "currency_code": "USD"}
    assert price["quantity"] == {"minimum": 1, "maximum": 1}
    assert price["tax_mode"] == "external"
    for wrong in (0, 5, DOLLARS + 1):
        with pytest.raises(InvalidRequest):
            paddle.pin(Purchase(reference=ORDER, title="S", price_nano=wrong, email="ada@example.com"))


@pytest.mark.parametrize(
    "changes",
    [
        {"currency_code": "EUR"},
        {"details": {"totals": {"subtotal": "999", "total": "999"}}},
        {"items": [{"price": {"id": "pri_1"}, "quantity": 1}, {"price": {"id": "pri_2"}, "quantity": 1}]},
        {"checkout": {"url": "javascript:alert(1)"}},
        {"checkout": {"url": "http://pay.example/"}},
        {"id": "a/b"},
    ],
)
async def test_a_checkout_that_is_not_the_one_asked_for_is_not_opened(
    paddle: Paddle, script: Scripted, changes: dict[str, Any]
) -> None:
    script.answer = lambda asked: (
        Reply({"data": transaction(asked.body, **changes)}) if asked.path == "/transactions" else shop(asked)
    )
    with pytest.raises(ServiceUnavailable):
        await paddle.open_checkout(PURCHASE)


async def test_an_address_that_is_refused_does_not_stop_the_checkout(paddle: Paddle, script: Scripted) -> None:
    refused = Reply({"error": {"code": "customer_email_invalid", "detail": "No."}}, 400)
    script.answer = lambda asked: refused if asked.path == "/customers" else shop(asked)
    assert (await paddle.open_checkout(PURCHASE)).provider_ref == "txn_1"
    assert "customer_id" not in script.asked[-1].body


async def test_a_short_pause_is_kept_and_a_long_one_is_told(paddle: Paddle, script: Scripted) -> None:
    replies = [
        Reply({}, 429, {"retry-after": "0"}),
        Reply({"data": transaction({"items": [{"price_id": "p"}], "currency_code": "USD"})}),
    ]
    script.answer = lambda _: replies.pop(0)
    assert (await paddle.fact("txn_1")) is not None
    script.answer = lambda _: Reply({}, 429, {"retry-after": "60"})
    with pytest.raises(ServiceUnavailable) as told:
        await paddle.fact("txn_1")
    assert told.value.retry_after_seconds == 60


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>Bad gateway</html>", 502),
        Reply(b"<html>", 200),
        Reply([], 200),
        Reply({"data": {"id": 5}}, 200),
        Reply(b"", 302, {"location": "http://127.0.0.1:1/"}),
        Reply(b"x" * (9 * 1024 * 1024), 200),
    ],
)
async def test_an_answer_that_is_none_is_the_provider_away(paddle: Paddle, script: Scripted, reply: Reply) -> None:
    script.answer = lambda _: reply
    with pytest.raises(ServiceUnavailable):
        await paddle.fact("txn_1")


async def test_what_is_posted_is_not_repeated_when_nobody_knows(paddle: Paddle, script: Scripted) -> None:
    script.answer = lambda asked: Reply(b"<html>", 502) if asked.path == "/transactions" else shop(asked)
    with pytest.raises(ServiceUnavailable):
        await paddle.open_checkout(PURCHASE)
    assert script.paths("POST") == ["/transactions"]


async def test_a_refusal_says_why(paddle: Paddle, script: Scripted) -> None:
    script.answer = lambda _: Reply(
        {"error": {"type": "request_error", "code": "forbidden", "detail": "No right."}}, 403
    )
    with pytest.raises(Refused, match=r"No right\.") as refused:
        await paddle.fact("txn_1")
    assert (refused.value.provider_status, refused.value.reason) == (403, "forbidden")
    script.answer = lambda _: Reply({"error": []}, 404)
    assert await paddle.fact("txn_1") is None
    assert await paddle.fact("../customers") is None


async def test_a_refund_is_asked_for_once(paddle: Paddle, script: Scripted) -> None:
    made: list[dict[str, Any]] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/transactions/txn_1":
            line = {"id": "txnitm_1", "totals": {"subtotal": "1000", "total": "1190"}}
            data = transaction({"items": [{"price_id": "p"}], "currency_code": "USD"}, details={"line_items": [line]})
            return Reply({"data": data})
        if asked.method == "GET":
            return Reply({"data": made, "meta": PAGE})
        part = asked.body.get("items", [{"amount": "1190"}])[0]
        totals = {"total": part["amount"]}
        one = {"id": f"adj_{len(made)}", "status": "pending_approval", "currency_code": "USD", "totals": totals}
        made.append({**asked.body, **one, "created_at": "2026-04-12T10:18:48Z"})
        # What was done and never heard of.
        return Reply(b"<html>", 502)

    script.answer = answer
    part = RefundWanted(reference="rfd_1", payment_ref="txn_1", reason="goodwill", minor=595)
    with pytest.raises(ServiceUnavailable):
        await paddle.refund(part)
    for _ in range(2):
        assert (await paddle.refund(part)).total == 595
    with pytest.raises(ServiceUnavailable):
        await paddle.refund(RefundWanted(reference="rfd_2", payment_ref="txn_1", reason="all"))
    assert [(one.get("type"), one.get("items")) for one in made] == [
        ("partial", [{"item_id": "txnitm_1", "type": "partial", "amount": "595"}]),
        ("full", None),
    ]


async def test_facts_are_read_page_by_page_and_only_from_the_account(paddle: Paddle, script: Scripted) -> None:
    bought = transaction({"items": [{"price_id": "p"}], "currency_code": "USD"}, status="completed")
    broken = {**bought, "id": "txn_broken", "details": {"totals": {"subtotal": "x", "total": "1"}}}

    def answer(asked: Asked) -> Reply:
        if asked.path == "/transactions" and "after" not in asked.query:
            # The next page is asked for where the first one was, whatever address stands there.
            following = {"has_more": True, "next": "http://127.0.0.1:1/transactions?after=txn_1&per_page=30"}
            return Reply({"data": [bought, broken, {"id": 7}], "meta": {"pagination": following}})
        if asked.path == "/transactions":
            return Reply({"data": [{**bought, "id": "txn_2"}], "meta": PAGE})
        return Reply({"data": [], "meta": PAGE})

    script.answer = answer
    found = [fact async for fact in paddle.facts(0)]
    assert [fact.ref for fact in found] == ["txn_1", "txn_2"]
    assert script.paths() == ["/transactions", "/transactions", "/adjustments", "/subscriptions"]
    assert [fact async for fact in paddle.facts(2_000_000_000_000_000)] == []


async def test_the_catalogue_is_made_once(paddle: Paddle, script: Scripted) -> None:
    made: dict[str, list[dict[str, Any]]] = {"/products": [], "/prices": []}

    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply({"data": made[asked.path], "meta": PAGE})
        if asked.method == "PATCH":
            return Reply({"data": {"id": "x"}})
        made[asked.path].append({**asked.body, "id": f"{asked.path[1:4]}_{len(made[asked.path])}", "status": "active"})
        return Reply({"data": made[asked.path][-1]}, 201)

    script.answer = answer
    items = [
        CatalogueItem(key="1:starter:1", title="Starter", price_nano=10 * DOLLARS),
        CatalogueItem(key="1:plan:2", title="Plan", price_nano=5 * DOLLARS, period="month"),
        CatalogueItem(key="1:topup:1", title="Top-up", price_nano=None),
    ]
    first = [ref async for _, ref in paddle.synchronise(items)]
    again = [ref async for _, ref in paddle.synchronise(items)]
    assert first == again
    assert [ref.price_ref for ref in first] == ["pri_0", "pri_1", None]
    assert made["/prices"][1]["billing_cycle"] == {"interval": "month", "frequency": 1}
    await paddle.withdraw(first[0])
    assert script.paths("PATCH") == ["/prices/pri_0", "/products/pro_0"]


async def test_previews_invoices_and_the_customers_page(paddle: Paddle, script: Scripted) -> None:
    totals = {"subtotal": "1000", "discount": "0", "tax": "190", "total": "1190"}
    whole = {
        "currency_code": "USD",
        "details": {"totals": totals, "line_items": [{"totals": totals, "tax_rate": "0.19"}]},
    }
    answers = {
        "/pricing-preview": whole,
        "/transactions/preview": whole,
        "/transactions/txn_1/invoice": {"url": "https://files.example/invoice.pdf"},
        "/customers/ctm_1/portal-sessions": {
            "urls": {
                "general": {"overview": "https://portal.example/o"},
                "subscriptions": [{"id": "sub_1", "view_subscription": "https://portal.example/s"}],
            }
        },
        "/checkout-domains": [
            {"domain": "Aurora.example", "status": "approved"},
            {"domain": "b.example", "status": "in_review"},
        ],
        "/transactions": [],
    }
    script.answer = lambda asked: (
        Reply({"data": answers[asked.path], "meta": PAGE}) if asked.path in answers else Reply({}, 404)
    )
    shown = await paddle.preview(PURCHASE, "DE")
    assert (shown.subtotal, shown.tax, shown.total, shown.tax_rate) == (1000, 190, 1190, "0.19")
    assert await paddle.invoice_url("txn_1") == "https://files.example/invoice.pdf"
    assert await paddle.invoice_url("txn_2") is None
    assert await paddle.portal_url("ctm_1") == "https://portal.example/o"
    assert await paddle.portal_url("ctm_1", "sub_1") == "https://portal.example/s"
    assert await paddle.domains() == {"aurora.example": "approved", "b.example": "pending"}
    await paddle.check()
