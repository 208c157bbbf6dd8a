"""`ledger audit` sees what can go wrong with vouchers, reversals, clawbacks and refund holds."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Clawback, Hold, Redemption, RefundRequest
from reseller_kit.db import vouchers
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import ClawBack, HoldRefund, LedgerWriter, RedeemVoucher
from reseller_kit.db.operator_checks_credit import credit_checks
from reseller_kit.db.vouchers import VoucherRow
from reseller_kit.flows.audit import audit
from reseller_kit.flows.corrections import reverse_charge
from tests.support.corruption import codes, corrupt
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle

pytestmark = pytest.mark.thorough


OVER, PLAIN = f"req_{'A':0>26}", f"req_{'B':0>26}"


async def make_history(db: Database, ledger: LedgerWriter, shop: Shop) -> str:
    """A voucher, a reversed call with an overage, a plain one, a clawback and a pending refund; the refund's lot."""
    row = VoucherRow(
        id=new_id("vch"),
        tenant_id=shop.tenant_id,
        batch="spring",
        prefix="ABCD",
        amount_nano=700,
        models=(),
        valid_days=None,
        expires_at=None,
        max_redemptions=2,
        redeemed=0,
        revoked_at=None,
        created_at=now_us(),
    )
    async with db.write(EVERY_TENANT) as connection:
        await vouchers.add(connection, shop.tenant_id, [row], [b"digest"])
    bought = grant(shop, 5_000)
    common: dict[str, Any] = {"tenant_id": shop.tenant_id, "wallet_id": shop.wallet_id, "at": now_us()}
    await ledger.submit(deposit(shop, 10_000))
    await ledger.submit(bought)
    redemption = Redemption(
        voucher_id=row.id, customer_id=shop.customer_id, lot_id=new_id("lot"), txn_id=new_id("txn"), **common
    )
    await ledger.submit(RedeemVoucher(redemption))
    for request_id, retail in ((OVER, 100), (PLAIN, 900)):
        call = hold(shop, retail, 600, request_id=request_id)
        assert isinstance(await ledger.submit(call), Hold)
        await ledger.submit(settle(shop, call, {"input": 100}))
    await reverse_charge(db, tenant_slug="aurora", request_id=OVER, amount=None, reason="Wrong", actor="test")
    lot_id = bought.grant.lot_id
    taken = Clawback(txn_id=new_id("txn"), lot_id=lot_id, target=400, new_lot_id=new_id("lot"), **common)
    await ledger.submit(ClawBack(taken))
    asked = RefundRequest(
        refund_id=new_id("rfd"),
        customer_id=shop.customer_id,
        reseller_wallet_id=shop.reseller_wallet,
        lot_id=lot_id,
        amount=50,
        **common,
    )
    await ledger.submit(HoldRefund(asked))
    return lot_id


CORRUPTIONS = {
    "a reversal beyond its charge": (
        "UPDATE entry SET amount_nano = 2 * amount_nano WHERE txn_id IN (SELECT id FROM txn WHERE code = 'reversal')",
        "reversal_exceeds_charge balance_differs_from_entries",
    ),
    "a reversal of nothing known": (
        "UPDATE txn SET reverses = 'txn_X' WHERE code = 'reversal'",
        "reversal_exceeds_charge",
    ),
    "a clawback beyond its grant": ("UPDATE clawback SET debt_nano = 5000", "clawback_exceeds_grant"),
    "a negative part of a clawback": (
        "UPDATE clawback SET debt_nano = -1",
        "clawback_exceeds_grant",
    ),
    "a clawback of a lost lot": (
        "UPDATE clawback SET lot_id = 'lot_X'",
        "clawback_exceeds_grant clawback_differs_from_lot",
    ),
    "a clawback that its lot does not count": ("UPDATE clawback SET free_nano = 401", "clawback_differs_from_lot"),
    "a refund that reserves wholesale": (
        "UPDATE hold SET wholesale_nano = 5 WHERE kind = 'refund'",
        "refund_hold_malformed reserved_differs_from_holds",
    ),
    "a refund of a key": ("UPDATE hold SET key_id = 'key_X' WHERE kind = 'refund'", "refund_hold_malformed"),
    "a hold of another kind": (
        "UPDATE hold SET kind = 'loan' WHERE kind = 'refund'",
        "hold_of_unknown_kind",
    ),
    "a refund's reserved credit": (
        "UPDATE hold SET retail_nano = 60 WHERE kind = 'refund'",
        "reserved_differs_from_holds hold_parts_differ",
    ),
    "an overage of a call within its hold": (
        f"UPDATE overage SET request_id = '{PLAIN}'",
        "overage_without_charge",
    ),
    "an overage of no call": ("UPDATE overage SET request_id = 'req_X'", "overage_without_charge"),
    "a voucher that counts too little": ("UPDATE voucher SET redeemed = 0", "voucher_miscounted"),
    "a voucher redeemed too often": ("UPDATE voucher SET max_redemptions = 0", "voucher_miscounted"),
    "a redemption of another lot": (
        "UPDATE voucher_redemption SET lot_id = 'lot_X'",
        "redemption_without_lot",
    ),
    "a voucher that changed its worth": ("UPDATE voucher SET amount_nano = 701", "redemption_without_lot"),
    "a redemption of no voucher": (
        "UPDATE voucher_redemption SET voucher_id = 'vch_X'",
        "redemption_without_lot voucher_miscounted",
    ),
}


async def test_a_sound_history_has_no_findings(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(db, ledger, shop)
        report = await audit(db)
    assert (report.findings, report.open_holds) == ([], 1)
    assert (await audit(db, tenant=shop.tenant_id + 1)).findings == []


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_each_corruption_is_found(db: Database, name: str) -> None:
    statement, expected = CORRUPTIONS[name]
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(db, ledger, shop)
        await corrupt(db, statement)
        report = await audit(db)
    assert codes(report) == set(expected.split()), report.findings


def test_every_code_has_a_corruption_that_shows_it() -> None:
    shown = {code for _, expected in CORRUPTIONS.values() for code in expected.split()}
    assert {code for code, *_ in credit_checks(None)} <= shown
