"""What each decision writes, whole: every transaction's name, time, reference, lines and balance, and every new lot.

Each figure is another one, so that none can stand in another's place.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reseller_kit.core.ledger import (
    CallReversal,
    Capture,
    Clawback,
    Clawed,
    Entry,
    Grant,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    Redemption,
    RefundRequest,
    TakeBack,
    Txn,
    Voucher,
    Wallet,
    WholesaleMove,
    capture,
    claw_back,
    consume_refund,
    expire_lots,
    grant,
    hold_refund,
    move_wholesale,
    place_hold,
    redeem,
    release_refund,
    reverse_call,
    take_back,
    void,
)
from reseller_kit.core.times import DAY_US

TENANT, WALLET, RESELLER = 7, 11, 13
BEFORE, AT = 5_000_017, 5_000_023


def wallet_of(balance: int, *, debt: int = 0) -> Wallet:
    return Wallet(id=WALLET, tenant_id=TENANT, balance=balance, debt=debt)


def reseller_of(balance: int = 900, *, accrues: bool = False) -> Wallet:
    return Wallet(id=RESELLER, tenant_id=TENANT, balance=balance, accrues=accrues)


def lot_of(amount: int = 100, **state: object) -> Lot:
    values: dict[str, object] = {"remaining": amount, "created_at": 3, **state}
    return Lot(id="lot_1", wallet_id=WALLET, kind="topup", amount=amount, **values)  # type: ignore[arg-type]


def txn(code: str, txn_id: str, ref: str, entries: Sequence[tuple[object, ...]], balance: int, **other: object) -> Txn:
    """A transaction as it is written at `AT`; of the customer's wallet unless `other` says another."""
    values: dict[str, object] = {"wallet_id": WALLET, **other}
    return Txn(
        id=txn_id,
        tenant_id=TENANT,
        code=code,
        ref=ref,
        at=AT,
        entries=tuple(Entry(*entry) for entry in entries),  # type: ignore[arg-type]
        balance_after=balance,
        **values,  # type: ignore[arg-type]
    )


def request() -> HoldRequest:
    return HoldRequest(
        request_id="req_5",
        tenant_id=TENANT,
        customer_id="cus_3",
        wallet_id=WALLET,
        reseller_wallet_id=RESELLER,
        key_id="key_2",
        key_limit=500,
        window_started_at=41,
        overdraft=0,
        model="gpt-test",
        retail_version="prc_r",
        wholesale_version="prc_w",
        terms=HoldTerms(
            retail_fixed=10_000,
            retail_per_output=2_000,
            wholesale_fixed=5_000,
            wholesale_per_output=1_000,
            output_limit=25,
        ),
        created_at=BEFORE,
    )


def held(wallet: Wallet, lot: Lot, reseller: Wallet) -> tuple[Hold, KeyWindow]:
    window = KeyWindow(key_id="key_2", started_at=41, limit=500)
    hold = place_hold(request(), wallet, [lot], reseller, window)
    assert isinstance(hold, Hold)
    return hold, window


def test_a_hold_names_its_call_and_what_it_reserves() -> None:
    wallet, lot, reseller = wallet_of(100), lot_of(), reseller_of()
    hold, window = held(wallet, lot, reseller)
    assert hold == Hold(
        request_id="req_5",
        tenant_id=TENANT,
        customer_id="cus_3",
        wallet_id=WALLET,
        reseller_wallet_id=RESELLER,
        key_id="key_2",
        window_started_at=41,
        model="gpt-test",
        retail_version="prc_r",
        wholesale_version="prc_w",
        output_limit=25,
        retail=60,
        wholesale=30,
        allocations=[("lot_1", 60)],
        created_at=BEFORE,
    )
    assert (wallet.reserved, lot.reserved, reseller.reserved, window.reserved, window.spent) == (60, 60, 30, 60, 0)


def test_a_charge_is_one_transaction_of_all_three_levels() -> None:
    wallet, lot, reseller = wallet_of(100), lot_of(), reseller_of()
    hold, window = held(wallet, lot, reseller)
    charge = Capture(request_id="req_5", retail=47, wholesale=23, cost=19, at=AT)
    posting = capture(charge, hold, wallet, [lot], reseller, window)
    lines = [
        ("customer_wallet", WALLET, -47),
        ("reseller_revenue", None, 47),
        ("reseller_wallet", RESELLER, -23),
        ("wholesale_revenue", None, 23),
        ("upstream_cost", None, -19),
        ("upstream_payable", None, 19),
    ]
    assert (posting.txns, posting.lots) == ([txn("call", "txn_5", "req_5", lines, 53)], [])
    assert (hold.state, hold.resolved_at) == ("captured", AT)
    assert (wallet.balance, wallet.reserved, reseller.balance, reseller.reserved) == (53, 0, 877, 0)
    assert (window.spent, window.reserved, lot.remaining, lot.consumed, lot.reserved) == (47, 0, 53, 47, 0)


@pytest.mark.parametrize("state", ["voided", "expired"])
def test_a_hold_that_ends_without_a_charge_moves_nothing_but_what_has_run_out(state: str) -> None:
    wallet, lot, reseller = wallet_of(100), lot_of(expires_at=AT), reseller_of()
    hold, window = held(wallet, lot, reseller)
    posting = void(hold, wallet, [lot], reseller, window, at=AT, state=state)
    lines = [("customer_wallet", WALLET, -100), ("breakage", None, 100)]
    assert posting.txns == [txn("expiry", "txn_5_1", "lot_1", lines, 0)]
    assert (hold.state, hold.resolved_at) == (state, AT)
    assert (wallet.reserved, reseller.reserved, window.reserved, window.spent, lot.expired) == (0, 0, 0, 0, 100)


def test_a_charge_to_a_revenue_share_credits_the_cash_of_what_it_used_up() -> None:
    wallet, lot, reseller = wallet_of(100), lot_of(cash=90), reseller_of(accrues=True)
    hold, window = held(wallet, lot, reseller)
    posting = capture(
        Capture(request_id="req_5", retail=50, wholesale=20, cost=0, at=AT), hold, wallet, [lot], reseller, window
    )
    lines = [
        ("customer_wallet", WALLET, -50),
        ("reseller_revenue", None, 50),
        ("reseller_accrual", RESELLER, -20),
        ("wholesale_revenue", None, 20),
    ]
    cash = [("customer_cash", None, -45), ("reseller_accrual", RESELLER, 45)]
    assert posting.txns == [
        txn("call", "txn_5", "req_5", lines, 50),
        txn("accrual", "txn_5_a", "req_5", cash, 925, wallet_id=RESELLER),
    ]
    assert (reseller.balance, lot.accrued) == (925, 45)


def test_a_grant_becomes_a_lot_with_all_its_terms_and_its_cash_accrues_where_it_pays_debt() -> None:
    wallet, share = wallet_of(-40, debt=40), reseller_of(accrues=True)
    asked = Grant(
        lot_id="lot_9",
        txn_id="txn_8",
        tenant_id=TENANT,
        wallet_id=WALLET,
        kind="package",
        amount=120,
        at=AT,
        ref="ord_4",
        code="grant",
        priority=2,
        expires_at=AT + 99,
        models=("gpt-*",),
        cash=60,
        lot_ref="starter",
        daily=31,
    )
    posting = grant(asked, wallet, share)
    lot = Lot(
        id="lot_9",
        wallet_id=WALLET,
        kind="package",
        amount=120,
        remaining=80,
        consumed=40,
        priority=2,
        expires_at=AT + 99,
        models=("gpt-*",),
        created_at=AT,
        cash=60,
        ref="starter",
        accrued=20,
        daily=31,
    )
    lines = [("credit_issued", None, -120), ("customer_wallet", WALLET, 120)]
    cash = [("customer_cash", None, -20), ("reseller_accrual", RESELLER, 20)]
    assert posting.lots == [lot]
    assert posting.txns == [
        txn("grant", "txn_8", "ord_4", lines, 80),
        txn("accrual", "txn_8_a", "lot_9", cash, 920, wallet_id=RESELLER),
    ]
    assert (wallet.balance, wallet.debt) == (80, 0)


def test_what_is_taken_by_hand_goes_back_to_where_credit_comes_from() -> None:
    wallet, lot = wallet_of(100), lot_of()
    asked = TakeBack(txn_id="txn_8", tenant_id=TENANT, wallet_id=WALLET, amount=29, at=AT, ref="a mistake")
    posting = take_back(asked, wallet, [lot])
    lines = [("customer_wallet", WALLET, -29), ("credit_issued", None, 29)]
    assert not isinstance(posting, HoldRefused)
    assert posting.txns == [txn("adjustment", "txn_8", "a mistake", lines, 71)]


@pytest.mark.parametrize("accrues", [False, True])
def test_money_of_a_reseller_comes_from_and_goes_to_its_sink(accrues: bool) -> None:  # noqa: FBT001  # what is tried
    reseller, account = reseller_of(accrues=accrues), "reseller_accrual" if accrues else "reseller_wallet"
    move = WholesaleMove(
        txn_id="txn_8",
        tenant_id=TENANT,
        wallet_id=RESELLER,
        amount=-300,
        at=AT,
        ref="pay_6",
        code="payout",
        sink="payouts",
    )
    posting = move_wholesale(move, reseller)
    assert not isinstance(posting, HoldRefused)
    lines = [("payouts", None, 300), (account, RESELLER, -300)]
    assert posting.txns == [txn("payout", "txn_8", "pay_6", lines, 600, wallet_id=RESELLER)]
    refused = HoldRefused(reason="wholesale", required=300, available=250, affordable_output=0)
    short = reseller_of(270, accrues=accrues)
    short.reserved = 20
    assert move_wholesale(move, short) == refused


def test_credit_that_runs_out_is_breakage_and_its_cash_accrues() -> None:
    wallet, share = wallet_of(100), reseller_of(accrues=True)
    lot = lot_of(expires_at=AT, cash=70)
    posting = expire_lots(wallet, [lot], share, txn_prefix="txn_x_", tenant_id=TENANT, at=AT)
    lines = [("customer_wallet", WALLET, -100), ("breakage", None, 100)]
    cash = [("customer_cash", None, -70), ("reseller_accrual", RESELLER, 70)]
    assert posting.txns == [
        txn("expiry", "txn_x_lot_1", "lot_1", lines, 0),
        txn("accrual", "txn_x_a", "wallet 11", cash, 970, wallet_id=RESELLER),
    ]


@pytest.mark.parametrize(("ref", "shown"), [("ord_4", "ord_4"), ("", "lot_1")])
def test_a_clawback_names_what_it_is_for_and_its_end_gives_back_what_was_repaid_as_a_lot(ref: str, shown: str) -> None:
    lot, clawed = lot_of(remaining=40, consumed=60), Clawed(lot_id="lot_1")
    wallet = wallet_of(40)

    def bring_to(target: int, txn_id: str) -> Clawback:
        return Clawback(
            txn_id=txn_id,
            tenant_id=TENANT,
            wallet_id=WALLET,
            lot_id="lot_1",
            target=target,
            at=AT,
            new_lot_id="lot_n",
            ref=ref,
        )

    taken = claw_back(bring_to(90, "txn_8"), wallet, [lot], clawed)
    lines = [("customer_wallet", WALLET, -90), ("credit_issued", None, 90)]
    assert taken.txns == [txn("clawback", "txn_8", shown, lines, -50)]
    paid = Grant(lot_id="lot_p", txn_id="t", tenant_id=TENANT, wallet_id=WALLET, kind="manual", amount=50, at=AT)
    grant(paid, wallet)
    back = claw_back(bring_to(60, "txn_9"), wallet, [lot], clawed)
    lines = [("customer_wallet", WALLET, 30), ("credit_issued", None, -30)]
    assert back.txns == [txn("restoration", "txn_9", shown, lines, 30)]
    made = Lot(id="lot_n", wallet_id=WALLET, kind="manual", amount=30, remaining=30, created_at=AT)
    assert back.lots == [made]


def test_a_reversal_names_its_call_and_what_it_unwinds() -> None:
    wallet, reseller = wallet_of(-20, debt=20), reseller_of()
    lot = lot_of(remaining=0, consumed=100)
    asked = CallReversal(
        request_id="req_5",
        txn_id="txn_8",
        reverses="txn_5",
        tenant_id=TENANT,
        wallet_id=WALLET,
        amount=60,
        charge=120,
        parts=(("lot_1", 100), ("", 20)),
        entries=(
            Entry("customer_wallet", WALLET, -120),
            Entry("reseller_revenue", None, 120),
            Entry("reseller_wallet", RESELLER, -31),
            Entry("wholesale_revenue", None, 31),
            Entry("upstream_cost", None, -9),
            Entry("upstream_payable", None, 9),
        ),
        at=AT,
        new_lot_id="lot_n",
    )
    posting = reverse_call(asked, wallet, [lot], {WALLET: wallet, RESELLER: reseller})
    lines = [
        ("customer_wallet", WALLET, 60),
        ("reseller_revenue", None, -60),
        ("reseller_wallet", RESELLER, 15),
        ("wholesale_revenue", None, -15),
    ]
    assert posting.txns == [txn("reversal", "txn_8", "req_5", lines, 40, reverses="txn_5")]
    assert (wallet.debt, lot.remaining, lot.consumed, reseller.balance) == (0, 40, 60, 915)


def test_a_line_that_its_share_rounds_to_nothing_is_left_out_of_a_reversal() -> None:
    wallet, reseller, lot = wallet_of(0), reseller_of(), lot_of(remaining=0, consumed=100)
    asked = CallReversal(
        request_id="req_5",
        txn_id="txn_8",
        reverses="txn_5",
        tenant_id=TENANT,
        wallet_id=WALLET,
        amount=1,
        charge=100,
        parts=(("lot_1", 100),),
        entries=(
            Entry("customer_wallet", WALLET, -100),
            Entry("reseller_revenue", None, 100),
            Entry("reseller_wallet", RESELLER, -99),
            Entry("wholesale_revenue", None, 99),
        ),
        at=AT,
        new_lot_id="lot_n",
    )
    posting = reverse_call(asked, wallet, [lot], {WALLET: wallet, RESELLER: reseller})
    lines = [("customer_wallet", WALLET, 1), ("reseller_revenue", None, -1)]
    assert posting.txns == [txn("reversal", "txn_8", "req_5", lines, 1, reverses="txn_5")]


def refund() -> RefundRequest:
    return RefundRequest(
        refund_id="rfd_6",
        tenant_id=TENANT,
        customer_id="cus_3",
        wallet_id=WALLET,
        reseller_wallet_id=RESELLER,
        lot_id="lot_1",
        amount=70,
        at=BEFORE,
    )


def test_a_refund_that_is_asked_for_is_a_hold_without_key_or_model() -> None:
    wallet, lot = wallet_of(100), lot_of()
    assert hold_refund(refund(), wallet, [lot]) == Hold(
        request_id="rfd_6",
        tenant_id=TENANT,
        customer_id="cus_3",
        wallet_id=WALLET,
        reseller_wallet_id=RESELLER,
        key_id="",
        window_started_at=-1,
        model="",
        retail_version="",
        wholesale_version="",
        output_limit=0,
        retail=70,
        wholesale=0,
        allocations=[("lot_1", 70)],
        created_at=BEFORE,
    )


def test_a_refunds_end_is_noted_and_lapses_what_has_run_out() -> None:
    wallet, lot = wallet_of(100), lot_of(expires_at=AT)
    hold = hold_refund(refund(), wallet, [lot])
    lines = [("customer_wallet", WALLET, -100), ("breakage", None, 100)]
    assert release_refund(hold, wallet, [lot], at=AT).txns == [txn("expiry", "txn_6_1", "lot_1", lines, 0)]
    assert (hold.state, hold.resolved_at, wallet.reserved) == ("voided", AT, 0)
    wallet, lot, clawed = wallet_of(100), lot_of(expires_at=AT), Clawed(lot_id="lot_1")
    hold = hold_refund(refund(), wallet, [lot])
    taken = Clawback(
        txn_id="txn_8", tenant_id=TENANT, wallet_id=WALLET, lot_id="lot_1", target=70, at=AT, new_lot_id="lot_n"
    )
    taken_lines = [("customer_wallet", WALLET, -70), ("credit_issued", None, 70)]
    left = [("customer_wallet", WALLET, -30), ("breakage", None, 30)]
    assert consume_refund(hold, taken, wallet, [lot], clawed).txns == [
        txn("clawback", "txn_8", "lot_1", taken_lines, 30),
        txn("expiry", "txn_6_1", "lot_1", left, 0),
    ]
    assert (hold.state, hold.resolved_at, wallet.reserved) == ("captured", AT, 0)


def test_credit_that_a_refused_refund_sets_free_pays_debt() -> None:
    wallet, lot = wallet_of(60, debt=40), lot_of()
    hold = hold_refund(refund(), wallet, [lot])
    assert release_refund(hold, wallet, [lot], at=AT).txns == []
    assert (wallet.balance, wallet.debt, lot.remaining, lot.consumed) == (60, 0, 60, 40)


def test_a_voucher_becomes_a_lot_of_its_days_and_models() -> None:
    voucher = Voucher(
        id="vch_2",
        tenant_id=TENANT,
        amount=25,
        models=("gpt-*",),
        valid_days=3,
        expires_at=AT + 1,
        max_redemptions=2,
        redeemed=1,
        revoked_at=None,
    )
    asked = Redemption(
        voucher_id="vch_2",
        customer_id="cus_3",
        tenant_id=TENANT,
        wallet_id=WALLET,
        lot_id="lot_9",
        txn_id="txn_8",
        at=AT,
    )
    posting = redeem(asked, voucher, wallet_of(4), repeated=False)
    assert posting.lots == [
        Lot(
            id="lot_9",
            wallet_id=WALLET,
            kind="voucher",
            amount=25,
            remaining=25,
            expires_at=AT + 3 * DAY_US,
            models=("gpt-*",),
            created_at=AT,
        )
    ]
    lines = [("credit_issued", None, -25), ("customer_wallet", WALLET, 25)]
    assert posting.txns == [txn("grant", "txn_8", "vch_2", lines, 29)]
    assert voucher.redeemed == 2
