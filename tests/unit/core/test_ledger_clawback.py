"""Refunds and chargebacks: what they take of a lot, what they give back, and what is held while they are pending."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, LedgerFault, NotFound
from reseller_kit.core.ledger import (
    Clawback,
    Clawed,
    Lot,
    Posting,
    RefundRequest,
    Wallet,
    available,
    claw_back,
    consume_refund,
    hold_refund,
    refund_target,
    release_refund,
)

NOW = 1_000_000


def make_lot(amount: int = 12, lot_id: str = "lot_A", **state: object) -> Lot:
    values: dict[str, object] = {"remaining": amount, **state}
    return Lot(id=lot_id, wallet_id=1, kind="topup", amount=amount, **values)  # type: ignore[arg-type]


def wallet_of(*lots: Lot, debt: int = 0) -> Wallet:
    return Wallet(
        id=1,
        tenant_id=1,
        balance=sum(lot.remaining for lot in lots) - debt,
        reserved=sum(lot.reserved for lot in lots),
        debt=debt,
    )


def to(target: int, *, at: int = NOW, txn: str = "txn_c", lot_id: str = "lot_A") -> Clawback:
    return Clawback(
        txn_id=txn, tenant_id=1, wallet_id=1, lot_id=lot_id, target=target, at=at, new_lot_id=f"lot_of_{txn}"
    )


def lines(posting: Posting) -> list[list[tuple[str, int]]]:
    return [[(entry.account, entry.amount) for entry in txn.entries] for txn in posting.txns]


def refund(amount: int, at: int = NOW) -> RefundRequest:
    return RefundRequest(
        refund_id="rfd_1",
        tenant_id=1,
        customer_id="cus_1",
        wallet_id=1,
        reseller_wallet_id=2,
        lot_id="lot_A",
        amount=amount,
        at=at,
    )


@pytest.mark.parametrize(
    ("credits_", "paid", "refunded", "expected"),
    [(1200, 1000, 0, 0), (1200, 1000, 1000, 1200), (10, 3, 1, 4), (10, 3, 2, 7), (10, 3, 3, 10), (10, 3, 400, 10)],
)
def test_a_refund_takes_its_share_rounded_up(credits_: int, paid: int, refunded: int, expected: int) -> None:
    assert refund_target(credits_, paid=paid, refunded=refunded) == expected


@pytest.mark.parametrize(("paid", "refunded"), [(0, 0), (0, 5), (-1, 1), (5, -1)])
def test_what_was_not_paid_for_has_no_refund(paid: int, refunded: int) -> None:
    with pytest.raises(InvalidRequest):
        refund_target(100, paid=paid, refunded=refunded)


@given(st.integers(1, 10**12), st.integers(1, 10**9), st.lists(st.integers(0, 10**9), min_size=2, max_size=5))
def test_the_share_grows_with_the_refund_and_never_beyond_the_grant(amount: int, paid: int, refunds: list[int]) -> None:
    targets = [refund_target(amount, paid=paid, refunded=min(refunded, paid)) for refunded in sorted(refunds)]
    assert targets == sorted(targets)
    assert all(0 <= target <= amount for target in targets)
    assert refund_target(amount, paid=paid, refunded=paid) == amount


def test_free_credit_is_taken_first() -> None:
    lot = make_lot(12, remaining=8, consumed=4)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    posting = claw_back(to(5), wallet, [lot], clawed)
    assert lines(posting) == [[("customer_wallet", -5), ("credit_issued", 5)]]
    assert (posting.txns[0].code, posting.txns[0].balance_after) == ("clawback", 3)
    assert (lot.remaining, lot.consumed, lot.clawed_back, wallet.balance, wallet.debt) == (3, 4, 5, 3, 0)


def test_then_what_had_expired_then_debt() -> None:
    lot = make_lot(12, remaining=2, consumed=6, expired=4)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    posting = claw_back(to(12), wallet, [lot], clawed)
    assert lines(posting) == [[("customer_wallet", -8), ("breakage", -4), ("credit_issued", 12)]]
    assert (lot.remaining, lot.consumed, lot.expired, lot.clawed_back) == (0, 6, 0, 6)
    assert (wallet.balance, wallet.debt) == (-6, 6)
    assert (clawed.free, clawed.expired, clawed.debt, clawed.taken) == (2, 4, 6, 12)


def test_other_credit_pays_the_debt_at_once() -> None:
    spent, other = make_lot(12, remaining=0, consumed=12), make_lot(20, "lot_B")
    wallet = wallet_of(spent, other)
    claw_back(to(12), wallet, [spent, other], Clawed(lot_id="lot_A"))
    assert (wallet.balance, wallet.debt, other.remaining, other.consumed) == (8, 0, 8, 12)


def test_what_open_calls_hold_is_owed_and_pays_the_debt_when_it_is_released() -> None:
    lot = make_lot(12, remaining=12, reserved=9)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    claw_back(to(12), wallet, [lot], clawed)
    assert (lot.remaining, lot.reserved, lot.clawed_back, wallet.debt, wallet.balance) == (9, 9, 3, 9, 0)


def test_the_same_target_twice_takes_once_and_a_higher_one_the_difference() -> None:
    lot = make_lot(12)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    assert [len(claw_back(to(n), wallet, [lot], clawed).txns) for n in (5, 5, 7, 999, 12)] == [1, 0, 1, 1, 0]
    assert (lot.clawed_back, clawed.taken, wallet.balance) == (12, 12, 0)


def test_what_was_taken_by_hand_is_not_taken_again() -> None:
    lot = make_lot(12, remaining=9, clawed_back=3)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    claw_back(to(6), wallet, [lot], clawed)
    assert (lot.remaining, lot.clawed_back, clawed.taken) == (3, 9, 6)
    claw_back(to(12), wallet, [lot], clawed)
    assert (lot.remaining, lot.clawed_back, clawed.taken, wallet.debt) == (0, 12, 9, 0)


def test_credit_that_is_owed_already_is_not_taken_when_its_hold_lets_go() -> None:
    lot = make_lot(12, remaining=9, reserved=9, clawed_back=3)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    wallet.reserved = 9
    claw_back(to(12), wallet, [lot], clawed)
    assert (clawed.taken, wallet.debt, wallet.balance) == (9, 9, 0)
    lot.reserved = wallet.reserved = 0
    claw_back(to(12), wallet, [lot], clawed)
    assert (clawed.taken, lot.clawed_back, wallet.debt, wallet.balance) == (9, 3, 0, 0)


def test_a_reversed_chargeback_gives_back_what_it_took() -> None:
    lot = make_lot(12, remaining=2, consumed=6, expired=4, expires_at=NOW + 9)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    before = copy.deepcopy((lot, wallet, clawed))
    claw_back(to(12), wallet, [lot], clawed)
    posting = claw_back(to(0, txn="txn_r"), wallet, [lot], clawed)
    assert (lot, wallet, clawed) == before
    assert lines(posting) == [[("customer_wallet", 8), ("breakage", 4), ("credit_issued", -12)]]
    assert posting.txns[0].code == "restoration"


def test_a_debt_that_was_repaid_meanwhile_comes_back_as_credit() -> None:
    spent, other = make_lot(12, remaining=0, consumed=12), make_lot(20, "lot_B")
    wallet, clawed = wallet_of(spent, other), Clawed(lot_id="lot_A")
    claw_back(to(12), wallet, [spent, other], clawed)
    posting = claw_back(to(4, txn="txn_r"), wallet, [spent, other], clawed)
    assert [(lot.id, lot.remaining, lot.expires_at) for lot in posting.lots] == [("lot_of_txn_r", 8, None)]
    assert (wallet.balance, wallet.debt, clawed.taken) == (16, 0, 4)


def test_what_comes_back_to_a_lot_that_has_run_out_expires_at_once() -> None:
    lot = make_lot(12, expires_at=NOW + 5)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    claw_back(to(12), wallet, [lot], clawed)
    posting = claw_back(to(0, txn="txn_r", at=NOW + 6), wallet, [lot], clawed)
    assert [txn.code for txn in posting.txns] == ["restoration", "expiry"]
    assert (lot.remaining, lot.expired, lot.clawed_back, wallet.balance) == (0, 12, 0, 0)


@pytest.mark.parametrize(("request_", "error"), [(to(-1), LedgerFault), (to(1, lot_id="lot_Z"), NotFound)])
def test_a_clawback_that_makes_no_sense_changes_nothing(request_: Clawback, error: type[Exception]) -> None:
    lot = make_lot()
    wallet, clawed = wallet_of(lot), Clawed(lot_id=request_.lot_id)
    before = copy.deepcopy((lot, wallet, clawed))
    with pytest.raises(error):
        claw_back(request_, wallet, [lot], clawed)
    assert (lot, wallet, clawed) == before


@given(
    parts=st.tuples(*[st.integers(0, 50)] * 4).filter(any),
    reserved=st.integers(0, 50),
    other=st.integers(0, 120),
    targets=st.lists(st.integers(0, 300), min_size=1, max_size=6),
)
def test_any_row_of_targets_ends_as_the_last_one_alone_would(
    parts: tuple[int, ...], reserved: int, other: int, targets: list[int]
) -> None:
    remaining, consumed, expired, by_hand = parts
    amount = sum(parts)

    def start() -> tuple[list[Lot], Wallet, Clawed]:
        lot = make_lot(
            amount,
            remaining=remaining,
            reserved=min(reserved, remaining),
            consumed=consumed,
            expired=expired,
            clawed_back=by_hand,
        )
        lots = [lot, make_lot(other, "lot_B")]
        return lots, wallet_of(*lots), Clawed(lot_id="lot_A")

    lots, wallet, clawed = start()
    for number, target in enumerate(targets):
        posting = claw_back(to(target, txn=f"txn_{number}"), wallet, lots, clawed)
        lots += posting.lots
        assert all(sum(entry.amount for entry in txn.entries) == 0 for txn in posting.txns)
        assert clawed.taken == min(target, amount - by_hand)
        assert min(clawed.free, clawed.expired, clawed.debt) >= 0
        assert clawed.free + clawed.expired <= lots[0].clawed_back
        for lot in lots:
            assert 0 <= lot.reserved <= lot.remaining <= lot.amount
            assert lot.amount == lot.remaining + lot.consumed + lot.expired + lot.clawed_back
        assert wallet.balance == sum(lot.remaining for lot in lots) - wallet.debt
        assert not wallet.debt or available(Wallet(id=1, tenant_id=1, balance=0), lots, NOW) == 0
    alone, lonely, once = start()
    claw_back(to(targets[-1]), lonely, alone, once)
    assert clawed.taken == once.taken
    # What expired belongs to nobody's balance: on the way it may have been counted as free or as expired.
    assert wallet.balance == lonely.balance


def test_a_pending_refund_keeps_its_credit_from_calls() -> None:
    lot = make_lot(12, remaining=8, consumed=4)
    wallet = wallet_of(lot)
    hold = hold_refund(refund(12), wallet, [lot])
    assert (hold.retail, hold.allocations, lot.reserved, wallet.reserved) == (8, [("lot_A", 8)], 8, 8)
    assert available(wallet, [lot], NOW) == 0
    assert (hold.wholesale, hold.key_id, hold.state) == (0, "", "open")


def test_a_refund_that_goes_through_consumes_its_hold() -> None:
    lot = make_lot(12, remaining=8, consumed=4)
    wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
    hold = hold_refund(refund(12), wallet, [lot])
    posting = consume_refund(hold, to(12), wallet, [lot], clawed)
    assert [txn.code for txn in posting.txns] == ["clawback"]
    assert (hold.state, lot.reserved, lot.remaining, wallet.reserved) == ("captured", 0, 0, 0)
    assert (wallet.balance, wallet.debt, clawed.taken) == (-4, 4, 12)


def test_a_refund_that_is_refused_sets_its_credit_free() -> None:
    lot = make_lot(12)
    wallet = wallet_of(lot)
    hold = hold_refund(refund(5), wallet, [lot])
    assert release_refund(hold, wallet, [lot], at=NOW).txns == []
    assert (hold.state, lot.reserved, wallet.reserved, available(wallet, [lot], NOW)) == ("voided", 0, 0, 12)


def test_credit_that_ran_out_under_a_pending_refund_expires_when_it_is_answered() -> None:
    for went_through, expired in ((True, 7), (False, 12)):
        lot = make_lot(12, expires_at=NOW + 5)
        wallet, clawed = wallet_of(lot), Clawed(lot_id="lot_A")
        hold = hold_refund(refund(5), wallet, [lot])
        if went_through:
            consume_refund(hold, to(5, at=NOW + 6), wallet, [lot], clawed)
        else:
            release_refund(hold, wallet, [lot], at=NOW + 6)
        assert (lot.remaining, lot.expired, lot.clawed_back, wallet.balance) == (0, expired, 12 - expired, 0)


def test_expired_credit_is_not_reserved_for_a_refund() -> None:
    lot = make_lot(12, expires_at=NOW)
    wallet = wallet_of(lot)
    assert hold_refund(refund(12), wallet, [lot]).retail == 0


def test_a_refund_hold_resolves_once_and_only_for_its_lot() -> None:
    lots = [make_lot(12), make_lot(9, "lot_B")]
    wallet = wallet_of(*lots)
    hold = hold_refund(refund(5), wallet, lots)
    before = copy.deepcopy((lots, wallet, hold))
    for bad in (to(5, lot_id="lot_B"), to(-1)):
        with pytest.raises(LedgerFault):
            consume_refund(hold, bad, wallet, lots, Clawed(lot_id=bad.lot_id))
    assert (lots, wallet, hold) == before
    release_refund(hold, wallet, lots, at=NOW)
    with pytest.raises(LedgerFault):
        release_refund(hold, wallet, lots, at=NOW)
    with pytest.raises(LedgerFault):
        consume_refund(hold, to(5), wallet, lots, Clawed(lot_id="lot_A"))


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_positive(amount: int) -> None:
    lot = make_lot()
    wallet = wallet_of(lot)
    with pytest.raises(LedgerFault):
        hold_refund(refund(amount), wallet, [lot])
    assert (lot.reserved, wallet.reserved) == (0, 0)
