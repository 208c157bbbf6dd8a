"""Revenue share, decided: customers' cash accrues with what is used up of their credit, exactly and in any order."""

from __future__ import annotations

import copy
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reseller_kit.core.errors import LedgerFault
from reseller_kit.core.ledger import (
    Capture,
    Grant,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    Lot,
    Posting,
    TakeBack,
    Txn,
    Wallet,
    WholesaleMove,
    accrual,
    capture,
    cash_of,
    expire_lots,
    grant,
    move_wholesale,
    place_hold,
    return_cash,
    take_back,
    void,
)
from reseller_kit.core.money import CENT_NANO
from reseller_kit.core.wholesale import Share, WholesaleTerms, wholesale_terms

NOW = 1_000_000


def make_wallet(balance: int = 0, debt: int = 0) -> Wallet:
    return Wallet(id=1, tenant_id=1, balance=balance, debt=debt)


def make_share(balance: int = 0) -> Wallet:
    return Wallet(id=2, tenant_id=1, balance=balance, accrues=True)


def make_lot(amount: int, cash: int = 0, lot_id: str = "lot_A", *, expires_at: int | None = None) -> Lot:
    return Lot(id=lot_id, wallet_id=1, kind="topup", amount=amount, remaining=amount, cash=cash, expires_at=expires_at)


def terms_of(retail: int, wholesale: int) -> HoldTerms:
    return HoldTerms(
        retail_fixed=retail * 1000,
        retail_per_output=0,
        wholesale_fixed=wholesale * 1000,
        wholesale_per_output=0,
        output_limit=100,
    )


def ask(terms: HoldTerms, request_id: str = "req_1", *, overdraft: int = 0, at: int = NOW) -> HoldRequest:
    return HoldRequest(
        request_id=request_id,
        tenant_id=1,
        customer_id="cus_1",
        wallet_id=1,
        reseller_wallet_id=2,
        key_id="key_1",
        key_limit=None,
        window_started_at=0,
        overdraft=overdraft,
        model="gpt-test",
        retail_version="prc_r",
        wholesale_version="prc_w",
        terms=terms,
        created_at=at,
    )


def give(amount: int, cash: int = 0, number: int = 0, *, expires_at: int | None = None, at: int = NOW) -> Grant:
    return Grant(
        lot_id=f"lot_{number}",
        txn_id=f"txn_g{number}",
        tenant_id=1,
        wallet_id=1,
        kind="topup",
        amount=amount,
        cash=cash,
        at=at,
        expires_at=expires_at,
    )


def placed(outcome: Hold | HoldRefused) -> Hold:
    assert isinstance(outcome, Hold)
    return outcome


def lines(txn: Txn) -> list[tuple[str, int]]:
    assert sum(entry.amount for entry in txn.entries) == 0
    return [(entry.account, entry.amount) for entry in txn.entries]


def test_a_call_is_charged_to_the_share_and_its_credits_cash_accrues_beside_it() -> None:
    lots, wallet, share = [make_lot(100, cash=90)], make_wallet(100), make_share()
    hold = placed(place_hold(ask(terms_of(20, 12)), wallet, lots, share, None))
    assert (hold.wholesale, share.reserved) == (0, 0)
    call, cash = capture(
        Capture(request_id="req_1", retail=10, wholesale=6, cost=5, at=NOW), hold, wallet, lots, share, None
    ).txns
    assert lines(call)[:4] == [
        ("customer_wallet", -10),
        ("reseller_revenue", 10),
        ("reseller_accrual", -6),
        ("wholesale_revenue", 6),
    ]
    assert lines(cash) == [("customer_cash", -9), ("reseller_accrual", 9)]
    assert (cash.ref, cash.wallet_id, cash.balance_after) == ("req_1", 2, 3)
    assert (share.balance, lots[0].accrued) == (3, 9)


def test_given_credit_mints_nothing() -> None:
    lots, wallet, share = [make_lot(100)], make_wallet(100), make_share()
    outcome = place_hold(ask(terms_of(20, 12)), wallet, lots, share, None)
    assert isinstance(outcome, HoldRefused)
    assert (outcome.reason, outcome.required, outcome.available) == ("wholesale", 12, 0)
    hold = placed(place_hold(ask(terms_of(20, 12), overdraft=12), wallet, lots, share, None))
    (call,) = capture(
        Capture(request_id="req_1", retail=20, wholesale=12, cost=0, at=NOW), hold, wallet, lots, share, None
    ).txns
    assert call.code == "call"
    assert share.balance == -12
    assert isinstance(place_hold(ask(terms_of(1, 1), "req_2", overdraft=12), wallet, lots, share, None), HoldRefused)


def test_a_hold_reserves_the_worst_moment_of_a_charge_that_begins_with_given_credit() -> None:
    """The gift goes first: a call that ends early takes wholesale and brings no cash."""
    lots = [make_lot(50, lot_id="lot_gift", expires_at=NOW + 9), make_lot(100, cash=100, lot_id="lot_paid")]
    wallet, share = make_wallet(150), make_share(30)
    hold = placed(place_hold(ask(terms_of(100, 60)), wallet, lots, share, None))
    assert hold.wholesale == share.reserved == 30
    capture(Capture(request_id="req_1", retail=50, wholesale=30, cost=0, at=NOW), hold, wallet, lots, share, None)
    assert (share.balance, share.reserved) == (0, 0)


def test_calls_at_once_do_not_pass_the_overdraft() -> None:
    lots, wallet, share = [make_lot(1000)], make_wallet(1000), make_share()
    outcomes = [place_hold(ask(terms_of(10, 6), f"req_{n}", overdraft=20), wallet, lots, share, None) for n in range(9)]
    holds = [outcome for outcome in outcomes if isinstance(outcome, Hold)]
    assert len(holds) == 3
    for hold in holds:
        charge = Capture(request_id=hold.request_id, retail=10, wholesale=6, cost=0, at=NOW)
        capture(charge, hold, wallet, lots, share, None)
    assert (share.balance, share.reserved) == (-18, 0)


def test_a_short_share_lowers_the_output_limit_first() -> None:
    terms = HoldTerms(
        retail_fixed=0,
        retail_per_output=10_000,
        wholesale_fixed=0,
        wholesale_per_output=6_000,
        output_limit=1000,
        shrink_to=256,
    )
    lots, wallet = [make_lot(100_000)], make_wallet(100_000)
    hold = placed(place_hold(ask(terms), wallet, lots, make_share(3_000), None))
    assert (hold.output_limit, hold.wholesale) == (500, 3_000)
    assert isinstance(place_hold(ask(terms, "req_2"), wallet, lots, make_share(1_535), None), HoldRefused)


def test_an_overage_that_becomes_debt_accrues_when_a_paid_lot_nets_it() -> None:
    lots, wallet, share = [make_lot(10, cash=10)], make_wallet(10), make_share()
    hold = placed(place_hold(ask(terms_of(10, 6)), wallet, lots, share, None))
    capture(Capture(request_id="req_1", retail=30, wholesale=18, cost=0, at=NOW), hold, wallet, lots, share, None)
    assert (wallet.debt, share.balance) == (20, 10 - 18)
    posting = grant(give(100, cash=90), wallet, share)
    assert [txn.code for txn in posting.txns] == ["grant", "accrual"]
    assert (wallet.debt, share.balance, posting.lots[0].accrued) == (0, 10 - 18 + 18, 18)


def test_a_grant_without_a_share_is_caught_up_later_once() -> None:
    wallet, share = make_wallet(-20, debt=20), make_share(-8)
    (lot,) = grant(give(100, cash=90), wallet).lots
    assert (lot.accrued, share.balance) == (0, -8)
    (txn,) = accrual(share, [lot], txn_id="txn_a", ref="", at=NOW)
    assert lines(txn) == [("customer_cash", -18), ("reseller_accrual", 18)]
    assert accrual(share, [lot], txn_id="txn_b", ref="", at=NOW) == []
    assert share.balance == 10


def test_expired_credit_is_the_resellers() -> None:
    lot, wallet, share = make_lot(100, cash=77, expires_at=NOW), make_wallet(100), make_share()
    posting = expire_lots(wallet, [lot], share, txn_prefix="txn_x", tenant_id=1, at=NOW)
    assert [txn.code for txn in posting.txns] == ["expiry", "accrual"]
    assert (share.balance, lot.accrued) == (77, 77)


def test_what_a_void_sets_free_of_a_lot_that_has_run_out_accrues() -> None:
    lots, wallet, share = [make_lot(100, cash=50, expires_at=NOW + 5)], make_wallet(100), make_share()
    hold = placed(place_hold(ask(terms_of(100, 0)), wallet, lots, share, None))
    assert [txn.code for txn in void(hold, wallet, lots, share, None, at=NOW + 5).txns] == ["expiry", "accrual"]
    assert share.balance == 50


def test_a_payout_takes_what_is_free_and_never_the_overdraft() -> None:
    share = make_share(100)
    share.reserved = 30
    move = WholesaleMove(
        txn_id="txn_p", tenant_id=1, wallet_id=2, amount=-71, at=NOW, code="payout", sink="payouts", ref="payout_1"
    )
    refused = move_wholesale(move, share)
    assert isinstance(refused, HoldRefused)
    assert (refused.available, share.balance) == (70, 100)
    paid = move_wholesale(
        WholesaleMove(txn_id="txn_p", tenant_id=1, wallet_id=2, amount=-70, at=NOW, code="payout", sink="payouts"),
        share,
    )
    assert isinstance(paid, Posting)
    assert lines(paid.txns[0]) == [("payouts", 70), ("reseller_accrual", -70)]


def test_a_refund_takes_cash_back_by_parts_and_returns_it_the_same_way() -> None:
    """A lot of 100 for 91: 30 consumed, 20 expired; a refund of all takes 50 free, 20 expired and 30 as debt."""
    lot, share = make_lot(100, cash=91), make_share()
    lot.remaining, lot.consumed, lot.expired = 50, 30, 20
    accrual(share, [lot], txn_id="txn_1", ref="", at=NOW)
    assert share.balance == 45
    lot.remaining, lot.expired, lot.clawed_back = 0, 0, 70
    taken = return_cash(share, [lot], lot, owed_before=0, owed_after=30, txn_id="txn_2", ref="", at=NOW)
    assert [(txn.id, txn.code) for txn in taken] == [("txn_2_r", "accrual_return"), ("txn_2_a", "accrual")]
    assert all(lines(txn) for txn in taken)
    assert share.balance == 0
    lot.remaining, lot.expired, lot.clawed_back = 50, 20, 0
    return_cash(share, [lot], lot, owed_before=30, owed_after=0, txn_id="txn_3", ref="", at=NOW)
    assert (share.balance, lot.accrued) == (45, 45)


@given(st.integers(1, 10**18), st.integers(0, 10**18), st.lists(st.integers(1, 10**17), max_size=30))
def test_the_steps_of_a_lot_sum_to_exactly_its_cash(amount: int, cash: int, steps: list[int]) -> None:
    lot, share = make_lot(amount, cash), make_share()
    for step in [*steps, amount]:
        part = min(step, lot.remaining)
        least = cash_of(lot, part)
        before = share.balance
        lot.remaining -= part
        lot.consumed += part
        accrual(share, [lot], txn_id="txn_1", ref="", at=NOW)
        assert least <= share.balance - before <= least + 1
        assert abs(share.balance - Fraction(cash * lot.consumed, amount)) < 1
    assert share.balance == lot.accrued == cash


def test_negative_cash_is_a_fault() -> None:
    wallet = make_wallet()
    with pytest.raises(LedgerFault):
        grant(give(10, cash=-1), wallet)
    assert wallet.balance == 0


def test_a_share_pays_out_what_was_there_when_it_matured() -> None:
    share = share_in_cents(balance=100, recent=30)
    assert (share.matured, share.payable) == (70 * CENT_NANO, 70 * CENT_NANO)
    assert share_in_cents(balance=100, recent=-30).payable == 100 * CENT_NANO, "losses since count at once"
    assert share_in_cents(balance=100, reserved=80, recent=30).payable == 20 * CENT_NANO
    assert share_in_cents(balance=100, recent=30, requested=60).payable == 10 * CENT_NANO
    for broke in (share_in_cents(balance=-1, recent=-50), share_in_cents(balance=9, recent=10)):
        assert broke.payable == 0


@pytest.mark.parametrize(("rest", "cents"), [(0, 7), (1, 7), (CENT_NANO - 1, 7), (CENT_NANO, 8), (-1, 6)])
def test_what_is_paid_out_is_whole_cents(rest: int, cents: int) -> None:
    share = Share(balance=10 * CENT_NANO + rest, reserved=2 * CENT_NANO, recent=0, requested=CENT_NANO)
    assert share.payable == cents * CENT_NANO


def share_in_cents(*, balance: int, recent: int, reserved: int = 0, requested: int = 0) -> Share:
    return Share(
        balance=balance * CENT_NANO,
        reserved=reserved * CENT_NANO,
        recent=recent * CENT_NANO,
        requested=requested * CENT_NANO,
    )


def test_terms_have_defaults() -> None:
    assert wholesale_terms({}) == WholesaleTerms()
    stored = {"settlement": "revenue_share", "overdraft": "1.50", "maturity_days": 0, "notify_below": ["2.00", "1.00"]}
    assert wholesale_terms({"wholesale": stored}) == WholesaleTerms(
        settlement="revenue_share", overdraft=1_500_000_000, maturity_days=0, notify_below=(2 * 10**9, 10**9)
    )
    assert WholesaleTerms(maturity_days=2).matured_before(10**12) == 10**12 - 2 * 86_400 * 10**6


class ShareMachine(RuleBasedStateMachine):
    """Any order of decisions on one customer of a reseller who goes to and fro between settlements."""

    OVERDRAFT = 200

    def __init__(self) -> None:
        super().__init__()
        self.now, self.number = NOW, 0
        self.wallet, self.share = make_wallet(), make_share()
        self.prepaid = Wallet(id=3, tenant_id=1, balance=10**6)
        self.lots: list[Lot] = []
        self.holds: list[tuple[Hold, Wallet, int]] = []
        self.txns: list[Txn] = []
        self.charged = self.put_in = self.slack = 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _post(self, posting: Posting) -> None:
        self.txns += posting.txns
        self.lots += posting.lots

    def _open(self) -> list[tuple[Hold, Wallet, int]]:
        return [placed for placed in self.holds if placed[0].state == "open"]

    @rule(
        amount=st.integers(1, 1000),
        percent=st.integers(0, 120),
        lifetime=st.none() | st.integers(1, 30),
        knows_share=st.booleans(),
    )
    def buy(self, amount: int, percent: int, lifetime: int | None, knows_share: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        expires_at = None if lifetime is None else self.now + lifetime
        request = give(amount, amount * percent // 100, self._next(), expires_at=expires_at, at=self.now)
        self._post(grant(request, self.wallet, self.share if knows_share else None))

    @rule(retail=st.integers(0, 800), percent=st.integers(0, 100), shares=st.booleans())
    def hold(self, retail: int, percent: int, shares: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        wholesale = retail * percent // 100
        account = self.share if shares else self.prepaid
        before = copy.deepcopy((self.wallet, self.lots, account))
        request = ask(terms_of(retail, wholesale), f"req_{self._next()}", overdraft=self.OVERDRAFT, at=self.now)
        outcome = place_hold(request, self.wallet, self.lots, account, None)
        if isinstance(outcome, HoldRefused):
            assert (self.wallet, self.lots, account) == before
        else:
            self.holds.append((outcome, account, wholesale))

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data(), percent=st.integers(0, 150))
    def settle(self, data: st.DataObject, percent: int) -> None:
        hold, account, most = data.draw(st.sampled_from(self._open()))
        retail, wholesale = hold.retail * percent // 100, most * percent // 100
        charge = Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=0, at=self.now)
        self._post(capture(charge, hold, self.wallet, self.lots, account, None))
        if account is self.share:
            self.charged += wholesale
            # Roundings: of the charge, and of the cash of each lot that it took from.
            self.slack += max(0, wholesale - most) + 1 + len(hold.allocations)

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        hold, account, _ = data.draw(st.sampled_from(self._open()))
        self._post(void(hold, self.wallet, self.lots, account, None, at=self.now))

    @rule(amount=st.integers(1, 900))
    def correct(self, amount: int) -> None:
        outcome = take_back(
            TakeBack(txn_id=f"txn_t{self._next()}", tenant_id=1, wallet_id=1, amount=amount, at=self.now),
            self.wallet,
            self.lots,
        )
        if isinstance(outcome, Posting):
            self._post(outcome)

    @rule(amount=st.integers(-400, 100).filter(bool))
    def pay(self, amount: int) -> None:
        outcome = move_wholesale(
            WholesaleMove(txn_id=f"txn_m{self._next()}", tenant_id=1, wallet_id=2, amount=amount, at=self.now),
            self.share,
        )
        if isinstance(outcome, Posting):
            self._post(outcome)
            self.put_in += amount

    @rule(step=st.integers(0, 20))
    def sweep(self, step: int) -> None:
        self.now += step
        prefix = f"txn_x{self._next()}"
        self._post(expire_lots(self.wallet, self.lots, self.share, txn_prefix=prefix, tenant_id=1, at=self.now))

    @invariant()
    def transactions_sum_to_zero_and_have_their_own_ids(self) -> None:
        assert all(sum(entry.amount for entry in txn.entries) == 0 for txn in self.txns)
        assert len({txn.id for txn in self.txns}) == len(self.txns)

    @invariant()
    def the_share_is_accrued_cash_less_wholesale(self) -> None:
        entries = [entry for txn in self.txns for entry in txn.entries]
        assert self.share.balance == sum(entry.amount for entry in entries if entry.wallet_id == self.share.id)
        accrued = sum(lot.accrued for lot in self.lots)
        assert self.share.balance == accrued - self.charged + self.put_in
        assert -accrued == sum(entry.amount for entry in entries if entry.account == "customer_cash")

    @invariant()
    def no_lot_accrues_more_than_its_used_up_part_brought(self) -> None:
        for lot in self.lots:
            assert 0 <= lot.accrued <= lot.cash * (lot.consumed + lot.expired) // lot.amount <= lot.cash

    @invariant()
    def calls_do_not_pass_the_overdraft(self) -> None:
        assert self.share.reserved == sum(hold.wholesale for hold, account, _ in self._open() if account is self.share)
        assert self.share.balance - self.share.reserved >= -self.OVERDRAFT - self.slack

    def teardown(self) -> None:
        """A sweep at the end of all things: whatever is gone has accrued to the last nano-USD."""
        for hold, account, _ in self._open():
            self._post(void(hold, self.wallet, self.lots, account, None, at=self.now))
        accrual(self.share, self.lots, txn_id="txn_last", ref="", at=self.now)
        for lot in self.lots:
            if lot.consumed + lot.expired == lot.amount:
                assert lot.accrued == lot.cash


TestShareMachine = ShareMachine.TestCase
TestShareMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
