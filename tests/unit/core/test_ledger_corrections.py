"""Reversed charges go back to the lots they came from; any mix of calls, refunds and corrections keeps the books."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reseller_kit.core.errors import Conflict, LedgerFault, NotFound
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
    Lot,
    Posting,
    Redemption,
    RefundRequest,
    TakeBack,
    Txn,
    Voucher,
    Wallet,
    capture,
    charged_parts,
    claw_back,
    consume_refund,
    expire_lots,
    grant,
    hold_refund,
    overage_parts,
    place_hold,
    redeem,
    release_refund,
    reverse_call,
    take_back,
    void,
)
from reseller_kit.core.times import DAY_US

NOW = 1_000_000


def make_lot(amount: int, lot_id: str = "lot_A", **state: object) -> Lot:
    return Lot(id=lot_id, wallet_id=1, kind="topup", amount=amount, remaining=amount, **state)  # type: ignore[arg-type]


class Books:
    """A customer's and a reseller's wallets, and calls on them."""

    def __init__(self, *lots: Lot) -> None:
        self.lots = list(lots)
        self.wallet = Wallet(id=1, tenant_id=1, balance=sum(lot.remaining for lot in lots))
        self.reseller = Wallet(id=2, tenant_id=1, balance=1_000)

    def state(self) -> object:
        return copy.deepcopy((self.wallet, self.reseller, self.lots))

    def place(self, number: int, retail: int, *, model: str = "gpt-test", wholesale: int = 0, at: int = NOW) -> Hold:
        hold = place_hold(
            hold_request(number, retail, wholesale, model, at), self.wallet, self.lots, self.reseller, None
        )
        assert isinstance(hold, Hold)
        return hold

    def call(
        self, number: int, held: int, retail: int, *, wholesale: int = 0, cost: int = 0, at: int = NOW
    ) -> CallReversal:
        """A captured call, as the whole of it would be reversed."""
        hold = self.place(number, held, wholesale=wholesale, at=at)
        before = {lot.id: lot.consumed for lot in self.lots}
        charge = Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=cost, at=at)
        posting = capture(charge, hold, self.wallet, self.lots, self.reseller, None)
        over = overage_parts(hold, retail, before, self.lots, at) if retail > held else []
        return reversal(hold, posting.txns[0], retail, over)

    def reverse(self, request: CallReversal, amount: int | None = None, *, at: int = NOW) -> Posting:
        changed = CallReversal(
            **{name: getattr(request, name) for name in CallReversal.__struct_fields__}
            | {"amount": request.charge if amount is None else amount, "at": at}
        )
        posting = reverse_call(changed, self.wallet, self.lots, {1: self.wallet, 2: self.reseller})
        self.lots += posting.lots
        return posting


def hold_request(number: int, retail: int, wholesale: int, model: str, at: int) -> HoldRequest:
    return HoldRequest(
        request_id=f"req_{number}",
        tenant_id=1,
        customer_id="cus_1",
        wallet_id=1,
        reseller_wallet_id=2,
        key_id="key_1",
        key_limit=None,
        window_started_at=0,
        overdraft=0,
        model=model,
        retail_version="prc_r",
        wholesale_version="prc_w",
        terms=HoldTerms(
            retail_fixed=retail * 1000,
            retail_per_output=0,
            wholesale_fixed=wholesale * 1000,
            wholesale_per_output=0,
            output_limit=1,
        ),
        created_at=at,
    )


def reversal(hold: Hold, txn: Txn, charge: int, over: list[tuple[str, int]]) -> CallReversal:
    return CallReversal(
        request_id=hold.request_id,
        txn_id=f"txn_back_{hold.request_id}",
        reverses=txn.id,
        tenant_id=1,
        wallet_id=1,
        amount=charge,
        charge=charge,
        parts=tuple(charged_parts(hold.allocations, over, charge)),
        entries=txn.entries,
        at=NOW,
        new_lot_id=f"lot_back_{hold.request_id}",
    )


def test_the_whole_charge_goes_back_to_where_it_came_from() -> None:
    books = Books(make_lot(5, "lot_a", expires_at=NOW + 9), make_lot(10, "lot_b"))
    before = books.state()
    call = books.call(1, 12, 8, wholesale=6, cost=3)
    posting = books.reverse(call)
    assert books.state() == before
    (txn,) = posting.txns
    assert (txn.code, txn.ref, txn.reverses, txn.balance_after) == ("reversal", "req_1", "txn_1", 15)
    assert [(entry.account, entry.amount) for entry in txn.entries] == [
        ("customer_wallet", 8),
        ("reseller_revenue", -8),
        ("reseller_wallet", 6),
        ("wholesale_revenue", -6),
    ]


def test_a_part_goes_back_last_consumed_first_and_wholesale_follows_rounded_down() -> None:
    books = Books(make_lot(5, "lot_a", expires_at=NOW + 9), make_lot(10, "lot_b"))
    call = books.call(1, 8, 8, wholesale=5)
    books.reverse(call, 4)
    assert [(lot.remaining, lot.consumed) for lot in books.lots] == [(1, 4), (10, 0)]
    assert (books.wallet.balance, books.reseller.balance) == (11, 1_000 - 5 + 2)


def test_what_was_owed_reduces_debt_first() -> None:
    books = Books(make_lot(5, "lot_a"))
    call = books.call(1, 5, 9)
    assert call.parts == (("lot_a", 5), ("", 4))
    books.reverse(call, 6)
    assert (books.wallet.debt, books.wallet.balance, books.lots[0].remaining) == (0, 2, 2)


def test_a_debt_that_was_repaid_comes_back_as_a_lot_of_its_own() -> None:
    books = Books(make_lot(5, "lot_a"))
    call = books.call(1, 5, 9)
    books.lots += grant(make_grant(3, 10), books.wallet).lots
    posting = books.reverse(call)
    assert [(lot.id, lot.kind, lot.remaining) for lot in posting.lots] == [("lot_back_req_1", "manual", 4)]
    assert (books.wallet.debt, books.wallet.balance) == (0, 15)


def test_an_overage_remembers_the_lots_beside_its_hold_of_every_scope() -> None:
    books = Books(
        make_lot(5, "lot_a", priority=-1),
        make_lot(3, "lot_b"),
        make_lot(4, "lot_other", models=("claude-*",), priority=-9),
    )
    call = books.call(1, 5, 14)
    assert call.parts == (("lot_a", 5), ("lot_b", 3), ("lot_other", 4), ("", 2))
    assert (books.wallet.debt, books.wallet.balance) == (2, -2)
    books.reverse(call)
    assert [lot.remaining for lot in books.lots] == [5, 3, 4]
    assert (books.wallet.debt, books.wallet.balance) == (0, 12)


def test_other_debt_is_paid_by_what_comes_back() -> None:
    books = Books(make_lot(5, "lot_a"))
    first = books.call(1, 4, 4)
    books.call(2, 1, 3)
    assert books.wallet.debt == 2
    books.reverse(first)
    assert (books.wallet.debt, books.lots[0].remaining, books.wallet.balance) == (0, 2, 2)


def test_a_lot_that_has_run_out_expires_what_it_gets_back() -> None:
    books = Books(make_lot(5, "lot_a", expires_at=NOW + 5), make_lot(10, "lot_b"))
    call = books.call(1, 8, 8)
    posting = books.reverse(call, at=NOW + 6)
    assert [txn.code for txn in posting.txns] == ["reversal", "expiry"]
    assert (books.lots[0].expired, books.lots[1].remaining, books.wallet.balance) == (5, 10, 10)


@pytest.mark.parametrize("amount", [0, -1, 9])
def test_no_more_than_the_charge_is_reversed(amount: int) -> None:
    books = Books(make_lot(10))
    call = books.call(1, 8, 8, wholesale=2)
    before = books.state()
    with pytest.raises(LedgerFault):
        books.reverse(call, amount)
    assert books.state() == before


@pytest.mark.parametrize(
    "change",
    [{"parts": (("lot_A", 7),)}, {"parts": (("lot_A", 99),), "charge": 99, "amount": 99}, {"entries": ()}],
)
def test_a_reversal_that_does_not_fit_its_call_changes_nothing(change: dict[str, object]) -> None:
    books = Books(make_lot(10))
    call = books.call(1, 8, 8)
    changed = CallReversal(**{name: getattr(call, name) for name in CallReversal.__struct_fields__} | change)
    before = books.state()
    with pytest.raises(LedgerFault):
        reverse_call(changed, books.wallet, books.lots, {1: books.wallet, 2: books.reseller})
    assert books.state() == before


@given(st.integers(1, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.data())
def test_any_split_of_a_charge_is_reversed_to_zero(charge: int, parts: list[int], data: st.DataObject) -> None:
    """As under another settlement, where the customer's line is balanced by several of unequal size."""
    amount = data.draw(st.integers(1, charge))
    rest = charge - sum(parts)
    entries = (
        Entry("customer_wallet", 1, -charge),
        *(Entry("wholesale_revenue", None, part) for part in parts),
        Entry("reseller_revenue", None, rest),
    )
    lot = make_lot(charge)
    lot.remaining, lot.consumed = 0, charge
    wallet = Wallet(id=1, tenant_id=1, balance=0)
    request = CallReversal(
        request_id="req_1",
        txn_id="txn_b",
        reverses="txn_1",
        tenant_id=1,
        wallet_id=1,
        amount=amount,
        charge=charge,
        parts=(("lot_A", charge),),
        entries=entries,
        at=NOW,
        new_lot_id="lot_N",
    )
    (txn,) = reverse_call(request, wallet, [lot], {1: wallet}).txns
    assert sum(entry.amount for entry in txn.entries) == 0
    assert wallet.balance == amount == lot.remaining
    if amount == charge:
        expected = [(entry.account, -entry.amount) for entry in entries if entry.amount]
        assert [(entry.account, entry.amount) for entry in txn.entries] == expected


def make_grant(number: int, amount: int, **options: object) -> Grant:
    values: dict[str, object] = {"kind": "manual", "at": NOW, **options}
    return Grant(lot_id=f"lot_{number}", txn_id=f"txn_g{number}", tenant_id=1, wallet_id=1, amount=amount, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"expires_at": NOW}, {"expires_at": NOW - 1}, {"cash": -1}, {"cash": 5, "kind": "promo"}, {"cash": 5}],
)
def test_a_grant_that_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    wallet = Wallet(id=1, tenant_id=1, balance=0)
    with pytest.raises(LedgerFault):
        grant(make_grant(1, 10, **options), wallet)
    assert wallet.balance == 0


def test_a_grant_keeps_what_was_paid_for_it_and_what_it_is_for() -> None:
    request = make_grant(1, 10, kind="package", cash=8, lot_ref="package:starter@2", models=("gpt-*",), priority=3)
    (lot,) = grant(request, Wallet(id=1, tenant_id=1, balance=0)).lots
    assert (lot.kind, lot.cash, lot.ref, lot.models, lot.priority) == ("package", 8, "package:starter@2", ("gpt-*",), 3)


def test_taking_by_hand_follows_burn_order_whatever_the_models() -> None:
    books = Books(
        make_lot(5, "lot_later"),
        make_lot(5, "lot_soon", expires_at=NOW + 9, models=("claude-*",)),
        make_lot(5, "lot_gone", expires_at=NOW),
        make_lot(5, "lot_first", priority=-1),
    )
    books.place(1, 2)
    taken = take_back(TakeBack(txn_id="txn_t", tenant_id=1, wallet_id=1, amount=9, at=NOW), books.wallet, books.lots)
    assert isinstance(taken, Posting)
    assert {lot.id: lot.clawed_back for lot in books.lots} == {
        "lot_first": 3,
        "lot_soon": 5,
        "lot_later": 1,
        "lot_gone": 0,
    }
    assert (books.wallet.balance, books.wallet.debt) == (11, 0)


def make_voucher(**changes: object) -> Voucher:
    values: dict[str, object] = {
        "id": "vch_1",
        "tenant_id": 1,
        "amount": 50,
        "models": ("gpt-*",),
        "valid_days": 30,
        "expires_at": NOW + 100,
        "max_redemptions": 2,
        "redeemed": 0,
        "revoked_at": None,
    }
    return Voucher(**(values | changes))  # type: ignore[arg-type]


REDEMPTION = Redemption(
    voucher_id="vch_1", customer_id="cus_1", tenant_id=1, wallet_id=1, lot_id="lot_V", txn_id="txn_v", at=NOW
)


def test_a_voucher_becomes_a_lot_with_its_terms() -> None:
    voucher, wallet = make_voucher(), Wallet(id=1, tenant_id=1, balance=0)
    posting = redeem(REDEMPTION, voucher, wallet, repeated=False)
    (lot,) = posting.lots
    assert (lot.kind, lot.amount, lot.models, lot.expires_at) == ("voucher", 50, ("gpt-*",), NOW + 30 * DAY_US)
    assert (voucher.redeemed, wallet.balance, posting.txns[0].ref, lot.cash) == (1, 50, "vch_1", 0)


@pytest.mark.parametrize(
    "voucher",
    [None, make_voucher(tenant_id=2), make_voucher(revoked_at=NOW - 1), make_voucher(expires_at=NOW)],
)
def test_what_can_not_be_redeemed_looks_unknown(voucher: Voucher | None) -> None:
    wallet, before = Wallet(id=1, tenant_id=1, balance=0), copy.deepcopy(voucher)
    texts = set()
    for repeated in (False, True):
        with pytest.raises(NotFound) as refused:
            redeem(REDEMPTION, voucher, wallet, repeated=repeated)
        texts.add(refused.value.message)
    assert texts == {"There is no such voucher code."}
    assert (voucher, wallet.balance) == (before, 0)


@pytest.mark.parametrize(("redeemed", "repeated", "text"), [(1, True, "already"), (2, False, "used up")])
def test_a_voucher_is_redeemed_once_by_each_and_no_more_than_it_may(
    redeemed: int,
    repeated: bool,  # noqa: FBT001  # pytest passes it by name
    text: str,
) -> None:
    voucher, wallet = make_voucher(redeemed=redeemed), Wallet(id=1, tenant_id=1, balance=0)
    with pytest.raises(Conflict, match=text):
        redeem(REDEMPTION, voucher, wallet, repeated=repeated)
    assert (voucher.redeemed, wallet.balance) == (redeemed, 0)


class CorrectionsMachine(RuleBasedStateMachine):
    """Calls with overage, refunds, pending refunds, reversals and expiry in any order, against sums kept beside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.books = Books()
        self.clawed: dict[str, Clawed] = {}
        self.holds: list[Hold] = []
        self.refunds: list[tuple[Hold, int]] = []
        self.calls: list[CallReversal] = []
        self.txns: list[Txn] = []
        self.number = 0
        self.granted = self.charged = self.reversed = 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _post(self, posting: Posting) -> None:
        self.txns += posting.txns
        self.books.lots += [lot for lot in posting.lots if lot not in self.books.lots]

    def _clawback(self, lot: Lot, target: int) -> Clawback:
        n = self._next()
        return Clawback(
            txn_id=f"txn_c{n}",
            tenant_id=1,
            wallet_id=1,
            lot_id=lot.id,
            target=target,
            at=self.now,
            new_lot_id=f"lot_n{n}",
        )

    @rule(
        amount=st.integers(1, 500),
        lifetime=st.none() | st.integers(1, 30),
        models=st.sampled_from([(), ("claude-*",)]),
    )
    def give(self, amount: int, lifetime: int | None, models: tuple[str, ...]) -> None:
        expires = None if lifetime is None else self.now + lifetime
        request = make_grant(self._next(), amount, kind="topup", at=self.now, expires_at=expires, models=models)
        self._post(grant(request, self.books.wallet))
        self.granted += amount

    @rule(retail=st.integers(0, 400))
    def hold(self, retail: int) -> None:
        request = hold_request(self._next(), retail, 0, "gpt-test", self.now)
        outcome = place_hold(request, self.books.wallet, self.books.lots, self.books.reseller, None)
        if not isinstance(outcome, HoldRefused):
            self.holds.append(outcome)

    @precondition(lambda self: bool(self.holds))
    @rule(data=st.data(), share=st.integers(0, 200), plus=st.integers(0, 50))
    def settle(self, data: st.DataObject, share: int, plus: int) -> None:
        hold = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        retail = hold.retail * share // 100 + (plus if share > 100 else 0)
        books = self.books
        if not retail:
            self._post(void(hold, books.wallet, books.lots, books.reseller, None, at=self.now))
            return
        before = {lot.id: lot.consumed for lot in books.lots}
        charge = Capture(request_id=hold.request_id, retail=retail, wholesale=0, cost=0, at=self.now)
        posting = capture(charge, hold, books.wallet, books.lots, books.reseller, None)
        over = overage_parts(hold, retail, before, books.lots, self.now) if retail > hold.retail else []
        assert sum(amount for _, amount in over) == max(0, retail - hold.retail)
        self._post(posting)
        self.charged += retail
        self.calls.append(reversal(hold, posting.txns[0], retail, over))

    @precondition(lambda self: bool(self.calls))
    @rule(data=st.data(), share=st.integers(1, 100))
    def reverse(self, data: st.DataObject, share: int) -> None:
        call = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        amount = max(1, call.charge * share // 100)
        before = self.books.wallet.balance
        posting = self.books.reverse(call, amount, at=self.now)
        self.txns += posting.txns
        assert posting.txns[0].balance_after == before + amount
        self.reversed += amount

    @precondition(lambda self: bool(self.books.lots))
    @rule(data=st.data(), wanted=st.integers(0, 600))
    def claw(self, data: st.DataObject, wanted: int) -> None:
        lot = data.draw(st.sampled_from(self.books.lots))
        clawed = self.clawed.setdefault(lot.id, Clawed(lot_id=lot.id))
        self._post(claw_back(self._clawback(lot, wanted), self.books.wallet, self.books.lots, clawed))
        assert clawed.taken <= min(wanted, lot.amount)

    @precondition(lambda self: bool(self.books.lots))
    @rule(data=st.data(), amount=st.integers(1, 400))
    def ask_refund(self, data: st.DataObject, amount: int) -> None:
        lot = data.draw(st.sampled_from(self.books.lots))
        request = RefundRequest(
            refund_id=f"rfd_{self._next()}",
            tenant_id=1,
            customer_id="cus_1",
            wallet_id=1,
            reseller_wallet_id=2,
            lot_id=lot.id,
            amount=amount,
            at=self.now,
        )
        self.refunds.append((hold_refund(request, self.books.wallet, self.books.lots), amount))

    @precondition(lambda self: bool(self.refunds))
    @rule(data=st.data(), went_through=st.booleans())
    def answer_refund(self, data: st.DataObject, went_through: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        hold, amount = self.refunds.pop(data.draw(st.integers(0, len(self.refunds) - 1)))
        books = self.books
        if not went_through:
            self._post(release_refund(hold, books.wallet, books.lots, at=self.now))
            return
        lot = next(lot for lot in books.lots if lot.id == hold.allocations[0][0])
        clawed = self.clawed.setdefault(lot.id, Clawed(lot_id=lot.id))
        request = self._clawback(lot, clawed.taken + amount)
        self._post(consume_refund(hold, request, books.wallet, books.lots, clawed))

    @rule(step=st.integers(1, 20), sweep=st.booleans())
    def wait(self, step: int, sweep: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        self.now += step
        if sweep:
            prefix = f"txn_x{self._next()}_"
            self._post(expire_lots(self.books.wallet, self.books.lots, txn_prefix=prefix, tenant_id=1, at=self.now))

    @invariant()
    def transactions_sum_to_zero_under_ids_of_their_own(self) -> None:
        assert all(sum(entry.amount for entry in txn.entries) == 0 for txn in self.txns)
        assert len({txn.id for txn in self.txns}) == len(self.txns)

    @invariant()
    def the_balance_is_lots_less_debt_and_the_sum_of_what_happened(self) -> None:
        wallet, lots = self.books.wallet, self.books.lots
        assert wallet.debt >= 0
        assert wallet.balance == sum(lot.remaining for lot in lots) - wallet.debt
        assert wallet.balance == sum(e.amount for txn in self.txns for e in txn.entries if e.wallet_id == 1)
        breakage = sum(e.amount for txn in self.txns for e in txn.entries if e.account == "breakage")
        taken = sum(clawed.taken for clawed in self.clawed.values())
        assert wallet.balance == self.granted - self.charged + self.reversed - taken - breakage
        assert breakage == sum(lot.expired for lot in lots)

    @invariant()
    def reserved_is_what_open_holds_reserve(self) -> None:
        held = sum(hold.retail for hold in [*self.holds, *(hold for hold, _ in self.refunds)])
        assert self.books.wallet.reserved == held == sum(lot.reserved for lot in self.books.lots)

    @invariant()
    def lots_are_whole_and_refunds_within_them(self) -> None:
        for lot in self.books.lots:
            assert 0 <= lot.reserved <= lot.remaining <= lot.amount
            assert lot.amount == lot.remaining + lot.consumed + lot.expired + lot.clawed_back
            assert min(lot.consumed, lot.expired, lot.clawed_back) >= 0
            clawed = self.clawed.get(lot.id, Clawed(lot_id=lot.id))
            assert min(clawed.free, clawed.expired, clawed.debt) >= 0
            assert clawed.free + clawed.expired <= lot.clawed_back
            assert clawed.taken <= lot.amount

    @invariant()
    def debt_and_free_credit_never_meet(self) -> None:
        free = [
            lot
            for lot in self.books.lots
            if lot.remaining > lot.reserved and (lot.expires_at is None or lot.expires_at > self.now)
        ]
        assert not (self.books.wallet.debt and free)


TestCorrectionsMachine = CorrectionsMachine.TestCase
TestCorrectionsMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
