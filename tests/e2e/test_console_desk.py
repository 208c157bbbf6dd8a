"""The daily work of a reseller's team in its console: orders and customers, on the real server."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.accounts import Visitor
from tests.support.members import Colleague, colleague
from tests.support.product import Customer, Shop


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    return any_shop


@pytest.fixture(scope="module")
def finance(shops: Callable[[str], Shop]) -> Colleague:
    return colleague(shops("sqlite"), role="finance")


def ordered(shop: Shop, email: str) -> str:
    placed = shop.ask("order", "create", "--tenant", "solaria", "--customer", email, "--package", "sunbeam")
    return str(placed["id"])


def shown(page: str, name: str) -> str:
    """What a form on the page sends unseen under this name."""
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_an_order_is_approved_refunded_in_parts_and_never_twice(shop: Shop, finance: Colleague) -> None:
    buyer = shop.customer(credit=None)
    order = ordered(shop, buyer.email)
    path = f"/console/orders/{order}"
    assert buyer.email in finance.get("/console/orders?state=checkout_open").text
    assert finance.send(path, action="approve", note="statement 12").headers["location"] == f"{path}?done=approve"
    assert finance.send(path, action="approve").status_code == 303
    balance = shop.ask("credit", "balance", *buyer.owner)
    detail = shop.ask("order", "show", order)
    assert (balance["balance"], detail["status"]) == (detail["credits"], "activated")
    assert "statement 12" in finance.get(path).text
    assert finance.send(path, action="refund", amount="1.00", why="goodwill").status_code == 422
    refund = {"action": "refund", "why": "goodwill", "left": shown(finance.get(path).text, "left")}
    too_much = finance.send(path, **refund, amount="1000000.00")
    assert too_much.status_code == 422
    assert 'value="1000000.00"' in too_much.text
    assert finance.send(path, **refund, amount="1,5").status_code == 422
    assert finance.send(path, **refund, amount="1.00").status_code == 303
    again = finance.send(path, **refund, amount="1.00")
    assert (again.status_code, "has changed meanwhile" in again.text) == (422, True)
    assert shop.ask("order", "show", order)["refunded"] == "1.00"


def test_an_order_is_rejected_with_a_reason(shop: Shop, finance: Colleague) -> None:
    buyer = shop.customer(credit=None)
    path = f"/console/orders/{ordered(shop, buyer.email)}"
    without = finance.send(path, action="reject", reason=" ")
    assert without.status_code == 422
    assert 'role="alert"' in without.text
    assert finance.send(path, action="reject", reason="No transfer arrived.").status_code == 303
    assert "No transfer arrived." in finance.get(path).text


def test_orders_of_others_are_as_if_they_were_not_there(shop: Shop, finance: Colleague) -> None:
    path = f"/console/orders/{ordered(shop, shop.customer(credit=None).email)}"
    stranger = colleague(shop, "lunaris", role="finance")
    assert [stranger.get(path).status_code, stranger.send(path, action="approve").status_code] == [404, 404]
    assert stranger.get("/console/orders/ord_nothing").status_code == 404
    theirs = shop.customer("lunaris", credit=None)
    assert "There is no customer" in finance.get(f"/console/orders?customer={theirs.email}").text


def page_of(customer: Customer) -> str:
    return f"/console/customers/{customer.id}"


def test_a_customer_is_found_by_what_is_known_of_it(shop: Shop, finance: Colleague) -> None:
    wanted = shop.customer(credit="3.00", name="laptop")
    prefix = shop.ask("key", "list", "--tenant", "solaria", "--customer", wanted.email)["keys"][0]["prefix"]
    for asked in (wanted.email, wanted.email[:-9].upper(), wanted.id, prefix):
        found = finance.http.get("/console/customers", params={"q": asked}).text
        assert page_of(wanted) in found, asked
    assert page_of(wanted) not in finance.http.get("/console/customers", params={"q": "%_"}).text
    rows = finance.get(f"/console/customers/export.csv?q={wanted.id}").text.splitlines()
    assert len(rows) == 2
    assert rows[1].startswith(f"{wanted.id},{wanted.email},")


def test_credit_is_granted_once_a_form_and_taken_back(shop: Shop, finance: Colleague) -> None:
    customer = shop.customer(credit=None)
    path = page_of(customer)
    for _ in range(2):
        sent = finance.send(f"{path}/credit", path, action="grant", amount="4.50", reason="A gift", request_key="k")
        assert sent.headers["location"] == f"{path}?done=grant"
    assert shop.ask("credit", "balance", *customer.owner)["balance"] == "4.50"
    assert finance.send(f"{path}/credit", path, action="adjust", amount="-1.25", reason="Typo").status_code == 303
    assert shop.ask("credit", "balance", *customer.owner)["balance"] == "3.25"
    refused = finance.send(f"{path}/credit", path, action="adjust", amount="-100", reason="All of it")
    assert refused.status_code >= 400
    assert 'value="All of it"' in refused.text
    assert 'role="alert"' in refused.text
    for amount in ("0", "-1", "1e3", "", "12345678901234567890", "0.0000000001"):
        sent = finance.send(f"{path}/credit", path, action="grant", amount=amount, reason="x", request_key=amount)
        assert sent.status_code == 422, amount
    assert shop.ask("credit", "balance", *customer.owner)["balance"] == "3.25"


def test_support_suspends_and_notes_but_moves_no_money(shop: Shop, finance: Colleague) -> None:
    helper, customer = colleague(shop, role="support"), shop.customer()
    path = page_of(customer)
    assert helper.send(f"{path}/credit", path, action="grant", amount="1.00", reason="x").status_code == 403
    assert helper.send(f"{path}/credit", path, action="group", group="").status_code == 403
    assert helper.send(path, action="note", body="a\0b").status_code == 303
    assert helper.get("/console/customers?q=%00").status_code == 200
    assert helper.send("/console/customers/%E2%82%AC", path, action="x").status_code == 404
    assert helper.send(path, action="note", body="<b>Pays</b> {{7*7}} by transfer").status_code == 303
    assert "&lt;b&gt;Pays&lt;/b&gt; {{7*7}} by transfer" in helper.get(path).text
    past = helper.send(path, action="suspend", reason="Spam", until="2020-01-01")
    assert past.status_code == 422
    assert helper.send(path, action="suspend", reason="Spam", until="2099-01-01").status_code == 303
    assert "Spam" in helper.get(path).text
    assert shop.ask("customer", "show", *customer.owner)["status"] == "suspended"
    assert helper.send(path, action="resume").status_code == 303
    assert shop.ask("customer", "show", *customer.owner)["status"] == "active"
    assert finance.send(path, action="note", body="x").status_code == 403


def test_customers_of_others_are_as_if_they_were_not_there(shop: Shop, finance: Colleague) -> None:
    theirs = shop.customer("lunaris")
    path = page_of(theirs)
    answers = [finance.get(path), finance.send(f"{path}/credit", "/console", action="grant", amount="1", reason="x")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert path not in finance.get(f"/console/customers?q={theirs.email}").text


def test_a_case_is_answered_and_closed(shop: Shop, finance: Colleague) -> None:
    customer = Visitor(shop, "solaria")
    address = "writes@solaria.example"
    customer.join(address)
    customer.send("/contact", subject="My {{7*7}} key", body="It is <b>refused</b>.")
    helper = colleague(shop, role="support")
    found = re.search(r'/console/support/(case_\w+)">My \{\{7\*7\}\} key', helper.get("/console/support").text)
    assert found is not None
    path = f"/console/support/{found[1]}"
    assert "It is &lt;b&gt;refused&lt;/b&gt;." in helper.get(path).text
    assert helper.send(path, body=" ").status_code == 422
    assert helper.send(path, body="Try the new one.").status_code == 303
    assert "Try the new one." in customer.get(f"/account/support/{found[1]}").text
    assert helper.send(path, action="close").status_code == 303
    assert shop.ask("case", "show", found[1], "--tenant", "solaria")["status"] == "closed"
    assert colleague(shop, "lunaris", role="support").get(path).status_code == 404
    assert finance.get(path).status_code == 403
