"""Payments as customers and a provider make them: pages, the provider's checkout, its webhooks, the credit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.accounts import problems
from tests.support.members import colleague
from tests.support.paid_shop import KEYS, SIGNING, Buyer, PaidShop
from tests.support.product import eventually

ORDER = "/account/billing/orders/"
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
"""For what no database changes."""


@pytest.fixture
def kim(paid: PaidShop) -> Buyer:
    return paid.buyer()


def opened(buyer: Buyer, **chosen: str) -> tuple[str, str]:
    """Buy; the order's id and its transaction's, not paid yet."""
    answer = buyer.order(**(chosen or {"package": "sunbeam"}))
    assert answer.status_code == 303, problems(answer)
    order_id = buyer.orders()[0]["id"]
    transaction = buyer.transaction(order_id)["id"]
    hosted, overlay = f"{buyer.paid.double.url}/checkout?_ptxn={transaction}", f"{ORDER}{order_id}/pay"
    assert answer.headers["location"] == (hosted if buyer.slug == "solaria" else overlay)
    return order_id, transaction


@on_sqlite
def test_from_the_offer_over_the_checkout_to_the_credit(paid: PaidShop, kim: Buyer) -> None:
    answer = kim.order(package="sunbeam")
    order_id = kim.orders()[0]["id"]
    checkout = paid.double.http.get(answer.headers["location"]).text
    assert "$10.00" in checkout
    form = {"_ptxn": kim.transaction(order_id)["id"], "country": "DE"}
    declined = paid.double.http.post(f"{paid.double.url}/checkout", data=form | {"action": "decline"})
    assert "declined" in declined.text
    paid.double.settle()
    assert (paid.order(order_id)["status"], kim.balance()) == ("checkout_open", "0.00")
    assert "Waiting for payment" in kim.get(ORDER + order_id).text
    paid.double.http.post(f"{paid.double.url}/checkout", data=form | {"action": "close"})
    paid.reaches(order_id, "activated")
    assert kim.balance() == "12.00"
    page = kim.get(ORDER + order_id).text
    assert "Credit added" in page
    for word in ("paddle", "double", "zephyrline"):
        assert word not in page.lower(), word
    paid.shop.assert_books_are_right()


@on_sqlite
def test_amounts_of_ones_own_and_other_storefronts_work_however_webhooks_come(paid: PaidShop, kim: Buyer) -> None:
    for kind, count in (("shuffle", 5), ("duplicate", 2), ("forge", 1)):
        paid.double.fault(kind, count=count, times=None, match="transaction.*")
    order_id, transaction = opened(kim, package="fill", amount="33.33")
    paid.double.pay(transaction, country="JP")
    paid.reaches(order_id, "activated")
    assert kim.balance() == "33.33"
    lee = paid.buyer("lunaris")
    other_id, other = opened(lee)
    paid.double.pay(other, country="US")
    paid.reaches(other_id, "activated")
    paid.double.settle()
    assert (lee.balance(), kim.balance()) == ("12.00", "33.33")
    statuses = {(line["forged"], line["status"]) for line in paid.double.deliveries("transaction.completed")[-8:]}
    assert statuses == {(False, 200), (True, 400)}


def test_ten_replays_at_once_are_one_credit(paid: PaidShop, kim: Buyer) -> None:
    order_id, transaction = opened(kim)
    paid.double.fault("drop", times=None)
    paid.double.pay(transaction)
    body = paid.event(transaction)
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: paid.deliver(body), range(10)))
    assert statuses == [200] * 10
    paid.reaches(order_id, "activated")
    assert kim.balance() == "12.00"
    paid.shop.assert_books_are_right()


@on_sqlite
def test_nobody_but_the_storefronts_own_account_is_believed(paid: PaidShop, kim: Buyer) -> None:
    order_id, transaction = opened(kim)
    paid.double.fault("drop", times=None)
    paid.double.pay(transaction)
    body = paid.event(transaction)
    changed = body.replace(b'"completed"', b'"completed" ', 1)
    attempts: list[Callable[[], int]] = [
        lambda: paid.deliver(body, secret="forged"),
        lambda: paid.deliver(body, secret=""),
        lambda: paid.deliver(body, secret=SIGNING["lunaris"]),
        lambda: paid.deliver(body, age=3600),
        lambda: paid.deliver(body, age=-3600),
        lambda: paid.shop.http.post(paid.webhook("solaria"), content=body).status_code,
        lambda: paid.deliver(b"{}"),
        lambda: paid.deliver(b"\xff\xfe"),
        lambda: paid.deliver(b"[" * 100_000),
    ]
    assert {attempt() // 100 for attempt in attempts} == {4}
    # Well signed by the other storefront's account, and on its own host: that order is none of its own.
    assert paid.deliver(changed, slug="lunaris") == 200
    assert (paid.order(order_id)["status"], kim.balance()) == ("checkout_open", "0.00")
    assert paid.deliver(body) == 200
    paid.reaches(order_id, "activated")
    assert kim.balance() == "12.00"


@on_sqlite
def test_a_payment_in_question_is_given_back_at_the_console_in_one_step(paid: PaidShop, kim: Buyer) -> None:
    order_id, transaction = opened(kim)
    price = kim.transaction(order_id)["items"][0]["price"]["id"]
    paid.double.tamper(transaction, items=[{"price_id": price, "quantity": 2}])
    paid.double.pay(transaction, country="DE")
    paid.reaches(order_id, "review")
    team = colleague(paid.shop, role="finance")
    assert f"/console/orders/{order_id}#payments" in team.get("/console/orders").text
    path, button = f"/console/orders/{order_id}", "Give 23.80 USD back"
    page = team.get(path).text
    form = dict(re.findall(r'name="(left|payment|why)" value="([^"]+)"', page))
    assert (button in page, form["payment"], form["why"]) == (True, transaction, "billing_error")
    assert team.send(path, action="refund", **form).status_code == 303
    page = team.get(path).text
    assert ("Waits for the provider" in page, button in page) == (True, False)
    assert team.send(path, action="refund", **form).status_code == 422
    (asked,) = paid.double.get("/adjustments", transaction_id=transaction)
    paid.double.decide(asked["id"], approved=True)
    paid.reaches(order_id, "refunded")
    assert "Given back" in team.get(path).text
    assert kim.balance() == "0.00"


@on_sqlite
@pytest.mark.parametrize("change", ["quantity", "cheaper", "currency", "custom_data", "another_order"])
def test_what_a_browser_changed_is_looked_at_and_not_credited(paid: PaidShop, kim: Buyer, change: str) -> None:
    order_id, transaction = opened(kim)
    double, items = paid.double, kim.transaction(order_id)["items"]
    price = items[0]["price"]["id"]
    if change == "quantity":
        double.tamper(transaction, items=[{"price_id": price, "quantity": 2}])
    elif change == "cheaper":
        spark, _ = opened(kim, package="spark")
        cheaper = kim.transaction(spark)["items"][0]["price"]["id"]
        double.tamper(transaction, items=[{"price_id": cheaper, "quantity": 1}])
    elif change == "currency":
        double.tamper(transaction, currency_code="JPY")
    elif change == "custom_data":
        double.tamper(transaction, custom_data={"order": order_id})
    else:
        lee = paid.buyer()
        theirs, _ = opened(lee, package="fill", amount="500.00")
        double.tamper(transaction, custom_data=lee.transaction(theirs)["custom_data"])
    double.pay(transaction, country="DE")
    paid.reaches(order_id, "review")
    assert kim.balance() == "0.00"
    paid.shop.assert_books_are_right()


def test_with_every_webhook_lost_reconcile_reaches_the_same(paid: PaidShop, kim: Buyer) -> None:
    paid.double.fault("drop", times=None)
    bought, refunded = opened(kim), opened(kim)
    for _, transaction in (bought, refunded):
        paid.double.pay(transaction, country="GB")
    paid.double.dispute(refunded[1])
    paid.double.settle()
    assert kim.balance() == "0.00"
    for _ in range(2):
        # 6: other tests left payments that somebody has to look at.
        code, document = paid.shop.try_("reconcile", "--provider", "paddle", "--tenant", "solaria")
        assert code in {0, 6}, document
        assert paid.reaches(bought[0], "activated")
        assert paid.reaches(refunded[0], "charged_back")
        assert kim.balance() == "12.00"
    paid.shop.assert_books_are_right()


@on_sqlite
def test_a_provider_that_fails_leaves_one_order_that_can_be_paid(paid: PaidShop, kim: Buyer) -> None:
    for kind in ("html", "status", "lost"):
        paid.double.fault(kind, match="POST /transactions", times=None)
        answer = kim.order(package="sunbeam")
        assert answer.status_code == 503, kind
        assert "$10.00" in answer.text
        paid.double.heal()
    order_id, transaction = opened(kim)
    paid.double.pay(transaction)
    paid.reaches(order_id, "activated")
    assert kim.balance() == "12.00"


def test_a_checkout_whose_answer_was_lost_can_be_paid_and_credits_its_order(paid: PaidShop, kim: Buyer) -> None:
    """No idempotency key exists: the transaction is there, the order never heard of it, and a second one is opened."""
    paid.double.fault("lost", match="POST /transactions")
    assert kim.order(package="sunbeam").status_code == 503
    order_id = kim.orders()[0]["id"]
    lost = kim.transaction(order_id)["id"]
    paid.double.pay(lost, country="US")
    paid.reaches(order_id, "activated")
    assert kim.balance() == "12.00"
    opened_again = kim.transaction(order_id)["id"]
    if opened_again != lost:
        paid.double.pay(opened_again, country="US")
        paid.double.settle()
    assert kim.balance() == "12.00"
    paid.shop.assert_books_are_right()


def test_a_refund_waits_and_a_chargeback_suspends_until_it_is_won(paid: PaidShop, kim: Buyer) -> None:
    order_id, transaction = opened(kim)
    paid.double.pay(transaction, country="DE")
    paid.reaches(order_id, "activated")
    paid.shop.ask("order", "refund", order_id, "--reason", "goodwill", "--amount", "5.95")
    waiting = eventually(lambda: refunds_of(paid, transaction), "the refund at the provider")
    assert (waiting[0]["status"], waiting[0]["totals"]["total"]) == ("pending_approval", "595")
    paid.double.decide(waiting[0]["id"], approved=True)
    paid.reaches(order_id, "partially_refunded")
    assert kim.balance() == "6.00"
    key = paid.shop.ask("key", "create", *kim.owner)["key"]
    assert models(paid, key).status_code == 200
    paid.double.dispute(transaction)
    paid.reaches(order_id, "charged_back")
    assert kim.balance() == "0.00"
    eventually(lambda: models(paid, key).status_code in {401, 403}, "keys that are suspended")
    paid.double.dispute(transaction, "chargeback_reverse")
    paid.reaches(order_id, "partially_refunded")
    assert kim.balance() == "6.00"
    eventually(lambda: models(paid, key).status_code == 200, "keys that work again")
    paid.shop.assert_books_are_right()


def refunds_of(paid: PaidShop, transaction: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = paid.double.get("/adjustments", transaction_id=transaction)
    return found


def models(paid: PaidShop, key: str) -> httpx.Response:
    url = f"http://127.0.0.2:{paid.shop.server.port}/v1/models"
    return paid.shop.http.get(url, headers={"authorization": f"Bearer {key}"})


def test_a_subscription_credits_each_period_once(paid: PaidShop, kim: Buyer) -> None:
    order_id, transaction = opened(kim, package="daylong")
    paid.double.pay(transaction, country="DE")
    paid.reaches(order_id, "activated")
    assert kim.balance() == "25.00"
    # The double's clock runs ahead from here: nothing else is paid behind it in this test.
    paid.double.fault("duplicate", count=2, times=None)
    paid.double.advance(days=32)
    paid.double.settle()
    eventually(lambda: kim.balance() == "50.00", "the second period's credit")
    assert json.dumps(KEYS) not in kim.get("/account/billing").text
    paid.shop.assert_books_are_right()
