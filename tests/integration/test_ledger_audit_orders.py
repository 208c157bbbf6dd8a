"""`ledger audit` sees orders that were credited otherwise than once."""

from __future__ import annotations

import pytest

from reseller_kit.db.engine import Database
from reseller_kit.db.operator_checks_orders import order_checks
from reseller_kit.flows.audit import audit
from tests.support.corruption import codes, corrupt
from tests.support.paying import paying_shop
from tests.support.payments import adjusted

pytestmark = pytest.mark.thorough

CORRUPTIONS = {
    "more credit than was sold": ("UPDATE purchase_order SET credits_nano = 5", "order_grant_differs"),
    "credited without a lot": ("UPDATE purchase_order SET lot_id = NULL", "order_without_grant grant_without_order"),
    "two grants": (
        "UPDATE txn SET ref = (SELECT max(ref) FROM txn WHERE code = 'grant') WHERE code = 'grant'",
        "order_granted_twice",
    ),
    "a grant for what nobody paid": (
        "UPDATE purchase_order SET state = 'cancelled', lot_id = NULL WHERE state = 'activated'",
        "grant_without_order",
    ),
    "a clawback that nobody was refunded for": (
        "UPDATE purchase_order SET refunded_nano = 0",
        "clawback_without_refund",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_each_corruption_is_found(db: Database, name: str) -> None:
    statement, expected = CORRUPTIONS[name]
    async with paying_shop(db) as shop:
        kept, back = await shop.order(key="a"), await shop.order(key="b")
        await shop.deliver(shop.payment(kept), shop.payment(back), adjusted("adj_1", shop.payment(back), 300))
        assert (await audit(db)).ok
        await corrupt(db, statement)
        report = await audit(db)
    assert codes(report) >= set(expected.split()), report.findings
    assert codes(report) <= {code for code, *_ in order_checks(None)}


def test_every_code_has_a_corruption_that_shows_it() -> None:
    shown = {code for _, expected in CORRUPTIONS.values() for code in expected.split()}
    assert {code for code, *_ in order_checks(None)} == shown
