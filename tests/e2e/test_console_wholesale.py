"""The wholesale account in the console: topped up through an order, watched, paid out, and summed up by month."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.accounts import problems
from tests.support.members import Colleague, colleague
from tests.support.product import Shop, eventually

PATH = "/console/wholesale"


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    return any_shop


@pytest.fixture(scope="module")
def finance(shops: Callable[[str], Shop]) -> Colleague:
    return colleague(shops("sqlite"), role="finance")


def test_a_top_up_is_one_order_and_credited_when_it_is_paid(shop: Shop, finance: Colleague) -> None:
    eventually(lambda: shop.ask("ledger", "audit")["open_holds"] == 0, "the end of other tests' calls")
    before = shop.ask("wholesale", "balance", "--tenant", "solaria")["balance"]
    for _ in range(2):
        assert finance.send(PATH, action="topup", amount="25.00", request_key="one").status_code == 303
    orders = shop.ask("wholesale", "topups", "--tenant", "solaria")["topups"]
    assert [order["price"] for order in orders] == ["25.00"]
    assert orders[0]["id"] in finance.get(PATH).text
    shop.ask("order", "approve", orders[0]["id"])
    after = shop.ask("wholesale", "balance", "--tenant", "solaria")["balance"]
    assert float(after) - float(before) == pytest.approx(25)
    assert shop.ask("ledger", "audit")["ok"]
    # What the operator sells to resellers is in nobody's way when a configuration is read.
    assert finance.send(PATH, action="alerts", thresholds="5").status_code == 303


@pytest.mark.parametrize("amount", ["", "0", "-5", "5.001", "1e9", "99999999"])
def test_what_can_not_be_topped_up_is_said_at_the_field(finance: Colleague, amount: str) -> None:
    answer = finance.send(PATH, action="topup", amount=amount)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_alerts_are_part_of_the_configuration(shop: Shop, finance: Colleague) -> None:
    assert finance.send(PATH, action="alerts", thresholds="20, 100.00,20").status_code == 303
    assert 'value="100.00, 20.00"' in finance.get(PATH).text
    assert finance.send(PATH, action="alerts", thresholds="a lot").status_code == 422
    assert finance.send(PATH, action="alerts", thresholds="").status_code == 303


@pytest.mark.usefixtures("one_day")
def test_a_month_is_summed_up_without_the_operators_cost(finance: Colleague) -> None:
    assert finance.shop.call(finance.shop.customer()).status_code == 200
    page = eventually(lambda: found if "gpt-5-mini" in (found := finance.get(PATH)).text else None, "the call")
    assert page.status_code == 200
    assert "<dt>Calls</dt>" in page.text
    month = re.search(r'<option value="(\d{4}-\d\d)" selected', page.text)
    assert month is not None
    rows = finance.get(f"{PATH}/statement.csv?month={month[1]}").text
    assert rows.startswith("kind,name,count,retail,wholesale,margin")
    assert "cost" not in rows
    assert finance.get(f"{PATH}/statement.csv?month=2026-13").status_code in {400, 422}
    sales = f"/console/orders/sales.csv?month={month[1]}"
    assert sales in page.text
    assert finance.get(sales).text.startswith("date,kind,description,order,receipt,customer,net,tax,gross,currency")
    assert finance.get("/console/orders/sales.csv").status_code in {400, 422}


def test_support_sees_no_wholesale_and_admins_ask_for_no_payout(shop: Shop, finance: Colleague) -> None:
    assert colleague(shop, role="support").get(PATH).status_code == 403
    assert colleague(shop, role="admin").send(f"{PATH}/payouts", PATH, action="payout").status_code == 403
    refused = finance.send(f"{PATH}/payouts", PATH, action="payout")
    assert 400 <= refused.status_code < 500


@pytest.mark.parametrize(
    ("amount", "said"), [("5.00", "can be paid out"), ("0.005", "whole cents"), ("", "can be paid out")]
)
def test_what_can_not_be_paid_out_is_said_at_the_field(shop: Shop, amount: str, said: str) -> None:
    answer = colleague(shop, "partaker", "finance").send(f"{PATH}/payouts", PATH, action="payout", payout=amount)
    assert answer.status_code == 422
    found = problems(answer)
    assert list(found) == ["payout"]
    assert said in found["payout"]
    assert f'value="{amount}"' in answer.text
