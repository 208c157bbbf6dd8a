"""Subscriptions and statements on the real server: cancelled, resumed and changed by their customer alone."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from tests.e2e.test_billing_pages import BILLING, FOREIGN, Buyer, pdf_text
from tests.support.accounts import problems
from tests.support.product import Shop

pytestmark = pytest.mark.usefixtures("one_day")


@pytest.fixture
def member(shop: Shop) -> Buyer:
    """A customer with a subscription that is paid."""
    buyer = Buyer(shop)
    order = buyer.buy(package="daybreak")
    shop.ask("order", "approve", order.rsplit("/", 1)[1])
    return buyer


def page_of(member: Buyer) -> str:
    """Where the subscription is."""
    found = re.search(rf'href="({BILLING}/subscriptions/sub_[^"]+)"', member.get(BILLING).text)
    assert found is not None
    return found[1]


def test_a_subscription_is_cancelled_resumed_and_changed_by_its_own_customer(shop: Shop, member: Buyer) -> None:
    assert member.balance() == "25.00"
    path = page_of(member)
    page = member.get(path).text
    assert "Paid until" in page
    assert "Noon" in page

    stranger = Buyer(shop)
    assert stranger.get(path).status_code == 404
    assert stranger.send(path, form_of=BILLING, action="cancel").status_code == 404

    assert member.send(path, action="cancel").status_code == 303
    assert "is not renewed" in member.get(path).text
    assert member.send(path, action="resume").status_code == 303
    assert "is not renewed" not in member.get(path).text

    old = member.send(path, action="change", package="noon", terms_hash="0" * 64)
    assert old.status_code == 409
    assert 'role="alert"' in old.text
    assert member.send(path, action="change", package="sunbeam").status_code == 409
    assert member.send(path, action="change", package="nothing").status_code == 422
    assert member.send(path, action="change", package="noon").status_code == 303
    assert "From the next period on" in member.get(path).text
    (listed,) = shop.ask("subscription", "list", *member.owner)["subscriptions"]
    assert (listed["status"], listed["package"], listed["cancel_at"]) == ("active", "daybreak", None)
    assert shop.ask("subscription", "cancel", listed["id"])["cancel_at"] == listed["period_ends_at"]
    shop.assert_books_are_right()


def test_a_month_is_a_page_a_file_and_a_table(shop: Shop, member: Buyer) -> None:
    this_month = dt.datetime.now(dt.UTC).strftime("%Y-%m")
    assert f"{BILLING}/statements/{this_month}" in member.get(f"{BILLING}/statements").text
    page = member.get(f"{BILLING}/statements/{this_month}").text
    text = pdf_text(member.get(f"{BILLING}/statements/{this_month}.pdf"))
    assert "All amounts in USD" in text
    table = member.get(f"{BILLING}/statements/{this_month}.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert re.search(r",purchase,Daybreak,ord_\w+,\d{4}-\d{5},20.00,20.00,", table.text)
    for shown in (page, text):
        assert "$25.00" in shown
        assert "$5.00" in shown
    for word in FOREIGN:
        assert word not in (page + text + table.text).lower(), word
    for month in ("2026-13", "1999-01", "9998-01", "x", "2026-01.exe"):
        assert member.get(f"{BILLING}/statements/{month}").status_code in {200, 400, 404}, month
    ours = shop.ask("tenant", "statement", "--tenant", "solaria", "--month", this_month)
    assert "cost" not in str(ours)
    own = shop.ask("tenant", "statement", "--month", this_month, *member.owner)
    assert (own["closing"], own["purchase"], own["bonus"]) == (member.balance(), "20.00", "5.00")


def test_amounts_to_be_told_at_are_kept_as_they_were_typed(member: Buyer) -> None:
    answer = member.send(BILLING, alerts="20, 5.50")
    assert answer.headers["location"] == f"{BILLING}?alerts=saved"
    assert 'value="20.00, 5.50"' in member.get(BILLING).text
    for wrong in ("ten", "1,2,3,4", "-5", "1e3"):
        refused = member.send(BILLING, alerts=wrong)
        assert refused.status_code == 422, wrong
        assert problems(refused).keys() == {"alerts"}
    assert member.send(BILLING, alerts="0").status_code == 303
    assert 'value="0"' in member.get(BILLING).text
    assert member.send(BILLING, alerts="").status_code == 303
