"""Buying through the double of Paddle: from the page to the provider's checkout, by webhook or by asking."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.paddle_shop import SHARED, Customer, PaddleShop, paddle_shop
from tests.support.product import eventually


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleShop]:
    with paddle_shop(tmp_path_factory.mktemp("paddle")) as running:
        yield running


@pytest.fixture
def kim(paid: PaddleShop) -> Customer:
    return Customer(paid.shop)


def transaction_of(location: str) -> str:
    found = re.search(r"_ptxn=(txn_\w+)", location)
    assert found is not None, location
    return found[1]


def test_buy_leads_to_the_providers_checkout(paid: PaddleShop, kim: Customer) -> None:
    answer = kim.buy(package="sunbeam")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(paid.double.url)
    made = paid.double.get(f"/transactions/{transaction_of(answer.headers['location'])}")
    assert made["items"][0]["quantity"] == 1
    assert made["details"]["totals"]["subtotal"] == "1000"
    order = kim.orders()[0]
    assert made["custom_data"]["order"].startswith(f"{order['id']}.")
    assert order["status"] == "checkout_open"
    page = kim.get(f"/account/billing/orders/{order['id']}")
    assert answer.headers["location"].replace("&", "&amp;") in page.text
    assert "plus tax" in page.text
    # Nothing but the way to the checkout tells who the provider is.
    assert "paddle" not in page.text.replace(paid.double.url, "").lower()


def test_versions_are_made_at_the_provider_once(paid: PaddleShop, kim: Customer) -> None:
    kim.buy(package="sunbeam")
    kim.buy(package="sunbeam")
    kim.buy(package="monthly")
    first = kim.buy(package="free", amount="7.00")
    synced = paid.shop.ask("package", "sync", "--tenant", "solaria")["packages"]
    states = {line["package"]: line["state"] for line in synced if line["state"] != "withdrawn"}
    assert [states[name] for name in ("sunbeam", "monthly", "free")] == ["known"] * 3
    products = paid.double.get("/products", status="active")
    names = [product["name"] for product in products if product["custom_data"]]
    assert [names.count(name) for name in ("Sunbeam", "Monthly", "Top-up")] == [1, 1, 1]
    prices = [price["name"] for price in paid.double.get("/prices", status="active") if price["custom_data"]]
    assert [prices.count(name) for name in ("Sunbeam", "Monthly", "Top-up")] == [1, 1, 0]
    inline = paid.double.get(f"/transactions/{transaction_of(first.headers['location'])}")["items"][0]["price"]
    assert (inline["unit_price"]["amount"], inline["type"]) == ("700", "custom")


def test_a_form_that_is_sent_again_goes_on_with_its_order(paid: PaddleShop, kim: Customer) -> None:
    form = {**kim.form(package="sunbeam"), "accept": "yes"}
    paid.double.fault("html", match="POST /transactions")
    failed = kim.http.post("/account/billing/buy", data=form)
    assert failed.status_code == 503
    assert "Nothing was charged" in failed.text
    assert f'value="{form["request_key"]}"' in failed.text
    order = kim.orders()[0]
    assert order["status"] == "draft"
    again = kim.http.post("/account/billing/buy", data=form)
    assert transaction_of(again.headers["location"])
    assert [line["status"] for line in kim.orders()] == ["checkout_open"]


def test_a_price_with_tax_is_shown_for_a_country(kim: Customer) -> None:
    page = kim.get("/account/billing/buy", params={"package": "sunbeam", "country": "DE"})
    assert "$11.90" in page.text
    assert "incl. tax" in page.text
    plain = kim.get("/account/billing/buy", params={"package": "free", "amount": "10.00", "country": "<script>"})
    assert plain.status_code == 200
    assert "$10.00" in plain.text


def test_the_overlay_is_a_page_with_a_policy_of_its_own(paid: PaddleShop) -> None:
    lee = Customer(paid.shop, "lunaris")
    answer = lee.buy(package="moonbeam")
    order = lee.orders()[0]
    assert answer.headers["location"] == f"/account/billing/orders/{order['id']}/pay"
    page = lee.get(answer.headers["location"])
    assert page.status_code == 200
    assert 'data-token="test_shared"' in page.text
    assert f"{paid.double.url}/paddle/v2/paddle.js" in page.text
    policy = page.headers["content-security-policy"]
    assert "frame-src http://127.0.0.1:*" in policy
    assert "frame-src" not in lee.get("/account/billing").headers["content-security-policy"]
    reference = re.search(r'data-checkout="(txn_\w+)"', page.text)
    assert reference is not None
    anybody = lee.http.get("/pay", params={"_ptxn": reference[1]}, headers={"cookie": ""})
    assert anybody.status_code == 200
    assert Customer(paid.shop, "lunaris").get(answer.headers["location"]).status_code == 404
    assert lee.http.get("/pay").status_code == 404


def test_a_payment_is_credited_by_webhook(paid: PaddleShop, kim: Customer) -> None:
    reference = transaction_of(kim.buy(package="sunbeam").headers["location"])
    paid.double.pay(reference, country="DE")
    paid.double.settle()
    eventually(lambda: kim.orders()[0]["status"] == "activated" or None, "the order is credited")
    page = kim.get(f"/account/billing/orders/{kim.orders()[0]['id']}").text
    assert "Paid, and the credit is in your account" in page
    invoice = kim.get(f"/account/billing/orders/{kim.orders()[0]['id']}/invoice")
    assert invoice.headers["location"].startswith(paid.double.url)
    other = Customer(paid.shop)
    assert other.get(f"/account/billing/orders/{kim.orders()[0]['id']}/invoice").status_code == 404


def test_without_a_webhook_the_order_is_asked_for_and_no_browser_is_believed(paid: PaddleShop) -> None:
    lee = Customer(paid.shop, "lunaris")
    lee.buy(package="moonbeam")
    order = f"/account/billing/orders/{lee.orders()[0]['id']}"
    reference = re.search(r'data-checkout="(txn_\w+)"', lee.get(f"{order}/pay").text)
    assert reference is not None
    claimed = lee.get(order, params={"returned": "1"}).text
    assert "Waiting for the payment" in claimed
    assert 'data-again="4"' in claimed
    assert lee.orders()[0]["status"] == "checkout_open"
    paid.double.pay(reference[1], country="US")
    eventually(lambda: "the credit is in your account" in lee.get(order).text or None, "the order is credited")
    assert [line["status"] for line in lee.orders()] == ["activated"]


def test_a_shared_account_tells_nobody_of_others_and_each_of_its_own(paid: PaddleShop) -> None:
    lee = Customer(paid.shop, "lunaris")
    lee.buy(package="moonbeam")
    own = paid.double.state(SHARED[0])["transactions"][-1]
    items = [{"price_id": own["items"][0]["price"]["id"], "quantity": 1}]
    wanted = {"items": items, "currency_code": "USD", "custom_data": {"order": "ord_somebody_elses"}}
    headers = {"authorization": f"Bearer {SHARED[0]}"}
    made = paid.double.http.post(f"{paid.double.url}/transactions", json=wanted, headers=headers)
    assert made.status_code == 201, made.text
    stranger = made.json()["data"]["id"]
    paid.double.tamper(own["id"], custom_data={"order": "ord_somebody_elses"})
    for transaction in (stranger, own["id"]):
        paid.double.pay(transaction, country="US", email="somebody@example.com")
    report = paid.shop.try_("reconcile", "--provider", "paddle", "--tenant", "lunaris")[1]
    assert stranger not in str(report)
    # What a browser took the reference from is known by its checkout, and somebody looks at it.
    assert lee.orders()[0]["status"] == "review"


def test_a_catalogue_that_cannot_be_written_does_not_stop_a_sale(paid: PaddleShop, kim: Customer) -> None:
    paid.shop.ask("package", "sync", "--tenant", "solaria")
    paid.shop.apply(paid.shop.text.replace('price = "10.00"', 'price = "11.00"', 1), "--yes")
    paid.double.fault("status", match="POST /products", status=403, code="forbidden")
    reference = transaction_of(kim.buy(package="sunbeam").headers["location"])
    made = paid.double.get(f"/transactions/{reference}")
    assert made["items"][0]["price"]["type"] == "custom"
    assert made["details"]["totals"]["subtotal"] == "1100"
    paid.double.pay(reference, country="US")
    eventually(lambda: kim.orders()[0]["status"] == "activated" or None, "the order is credited")
    paid.shop.apply(paid.shop.text, "--yes")
    synced = paid.shop.ask("package", "sync", "--tenant", "solaria")["packages"]
    states = {line["version"]: line["state"] for line in synced if line["package"] == "sunbeam"}
    # What was on offer before is archived there; what was never sold by name is not even made.
    assert states == {1: "withdrawn", 3: "made"}


def test_a_switch_of_provider_leaves_what_was_begun_to_the_old_one(paid: PaddleShop, kim: Customer) -> None:
    reference = transaction_of(kim.buy(package="sunbeam").headers["location"])
    text = paid.shop.text.replace(
        'provider = "paddle"\n  api_key = "env:SOLARIA_KEY"', 'provider = "manual"\n  api_key = "env:SOLARIA_KEY"'
    )
    assert text != paid.shop.text
    paid.shop.apply(text, "--yes")
    assert kim.buy(package="sunbeam").headers["location"].startswith("/account/billing/orders/")
    paid.double.pay(reference, country="US")
    paid.double.settle()
    eventually(
        lambda: {line["status"] for line in kim.orders()} == {"activated", "checkout_open"} or None, "it is credited"
    )
    paid.shop.apply(paid.shop.text, "--yes")


def test_a_subscription_is_credited_each_period_and_changed_there(paid: PaddleShop, kim: Customer) -> None:
    reference = transaction_of(kim.buy(package="monthly").headers["location"])
    paid.double.pay(reference, country="US")
    paid.double.settle()
    owner = ("--tenant", "solaria", "--customer", kim.email)
    eventually(lambda: paid.shop.ask("credit", "balance", *owner)["balance"] == "25.00" or None, "the first period")
    order = f"/account/billing/orders/{kim.orders()[0]['id']}"
    assert f"{order}/manage" in kim.get(order).text
    assert kim.get(f"{order}/manage").headers["location"].startswith(paid.double.url)
    paid.double.advance(days=32)
    paid.double.settle()
    eventually(lambda: len(kim.orders()) == 2 or None, "the second period")
    eventually(lambda: {line["status"] for line in kim.orders()} == {"activated"} or None, "both are credited")
