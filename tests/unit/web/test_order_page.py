"""The page of an order: when it asks again by itself, and when it waits for nothing."""

from __future__ import annotations

import pytest

from reseller_kit.core.order import OrderState
from reseller_kit.db.orders import Order
from reseller_kit.flows.orders.look import OrderDetail
from reseller_kit.web.account.billing_rows import order_view

DOLLAR = 1_000_000_000
TERMS = {"title": "Start", "kind": "package", "price": "10.00", "credits": "11.00"}


def order_in(state: OrderState) -> OrderDetail:
    order = Order(
        id="ord_1",
        tenant_id=1,
        customer_id="cus_1",
        email="kim@example.org",
        package_id=1,
        package="start",
        version=1,
        terms=TERMS,
        state=state,
        provider="paddle",
        provider_ref=None,
        provider_facts={},
        price_nano=10 * DOLLAR,
        credits_nano=11 * DOLLAR,
        refunded_nano=0,
        terms_hash="",
        request_key=None,
        lot_id=None,
        note="",
        created_at=1_000_000,
        paid_at=None,
        lapses_at=2_000_000,
        changed_at=1_000_000,
    )
    return OrderDetail(order=order, tenant="aurora", timeline=[], receipt=None)


@pytest.mark.parametrize(
    ("state", "returned", "claims", "asks_again"),
    [
        ("checkout_open", False, False, False),
        ("checkout_open", True, True, True),
        ("paid", False, False, True),
        ("paid", True, False, True),
        ("activated", True, False, False),
        ("cancelled", True, False, False),
    ],
)
def test_the_page_asks_again_while_something_is_to_follow(
    state: OrderState, *, returned: bool, claims: bool, asks_again: bool
) -> None:
    view = order_view(order_in(state), {}, "UTC", None, returning=returned)  # type: ignore[arg-type]
    assert (view.returning, view.again_seconds > 0) == (claims, asks_again)
