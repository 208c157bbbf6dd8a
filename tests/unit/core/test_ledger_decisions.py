"""The ledger's decisions, one by one and in any order: the money invariants hold after each."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reseller_kit.core.errors import InvalidAmount, LedgerFault
from reseller_kit.core.ledger import (
    NO_WINDOW,
    Capture,
    Grant,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    Posting,
    TakeBack,
    Txn,
    Wallet,
    WholesaleMove,
    available,
    burn_order,
    capture,
    expire_lots,
    grant,
    move_wholesale,
    place_hold,
    take_back,
    void,
)
from reseller_kit.core.money import MAX_AMOUNT_NANO

NOW = 1_000_000


def make_wallet(balance: int = 0, *, reserved: int = 0, debt: int = 0) -> Wallet:
    return Wallet(id=1, tenant_id=1, balance=balance, reserved=reserved, debt=debt)


def make_reseller(balance: int = 10**9) -> Wallet:
    return Wallet(id=2, tenant_id=1, balance=balance)


def make_lot(remaining: int, lot_id: str = "lot_A", **state: object) -> Lot:
    return Lot(id=lot_id, wallet_id=1, kind="manual", amount=remaining, remaining=remaining, **state)  # type: ignore[arg-type]


def fixed_terms(retail: int, wholesale: int = 0) -> HoldTerms:
    return HoldTerms(
        retail_fixed=retail * 1000,
        retail_per_output=0,
        wholesale_fixed=wholesale * 1000,
        wholesale_per_output=0,
        output_limit=100,
    )


def make_request(terms: HoldTerms, request_id: str = "req_1", **changes: object) -> HoldRequest:
    values: dict[str, object] = {
        "request_id": request_id,
        "tenant_id": 1,
        "customer_id": "cus_1",
        "wallet_id": 1,
        "reseller_wallet_id": 2,
        "key_id": "key_1",
        "key_limit": None,
        "window_started_at": 0,
        "overdraft": 0,
        "model": "gpt-test",
        "retail_version": "prc_r",
        "wholesale_version": "prc_w",
        "terms": terms,
        "created_at": NOW,
    }
    return HoldRequest(**(values | changes))  # type: ignore[arg-type]


def charge(hold: Hold, retail: int, wholesale: int = 0, cost: int = 0, at: int = NOW) -> Capture:
    return Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=cost, at=at)


def placed(outcome: Hold | HoldRefused) -> Hold:
    assert isinstance(outcome, Hold)
    return outcome


def refused(outcome: Hold | HoldRefused | Posting) -> HoldRefused:
    assert isinstance(outcome, HoldRefused)
    return outcome


def test_a_hold_takes_lots_in_burn_order() -> None:
    lots = [
        make_lot(10, "lot_never"),
        make_lot(10, "lot_later", expires_at=NOW + 50),
        make_lot(10, "lot_soon", expires_at=NOW + 5),
        make_lot(10, "lot_promo", expires_at=NOW + 50, created_at=9),
        make_lot(10, "lot_first", priority=-1),
    ]
    lots[3].kind = "promo"
    hold = placed(place_hold(make_request(fixed_terms(45)), make_wallet(50), lots, make_reseller(), None))
    assert hold.allocations == [
        ("lot_first", 10),
        ("lot_soon", 10),
        ("lot_promo", 10),
        ("lot_later", 10),
        ("lot_never", 5),
    ]


def test_expired_and_foreign_model_lots_are_not_reserved() -> None:
    lots = [make_lot(10, "lot_a", expires_at=NOW), make_lot(10, "lot_b", models=("claude-*",)), make_lot(10, "lot_c")]
    wallet, reseller = make_wallet(30), make_reseller()
    assert refused(place_hold(make_request(fixed_terms(11)), wallet, lots, reseller, None)).available == 10
    hold = placed(place_hold(make_request(fixed_terms(10)), wallet, lots, reseller, None))
    assert hold.allocations == [("lot_c", 10)]


@pytest.mark.parametrize(
    ("lots", "reseller", "limit", "reason"),
    [
        ([make_lot(99)], make_reseller(), None, "credit"),
        ([make_lot(100)], make_reseller(59), None, "wholesale"),
        ([make_lot(100)], make_reseller(), 99, "key_limit"),
        ([make_lot(9)], make_reseller(5), 1, "credit"),
    ],
)
def test_a_refusal_names_what_is_missing_and_changes_nothing(
    lots: list[Lot], reseller: Wallet, limit: int | None, reason: str
) -> None:
    wallet = make_wallet(sum(lot.remaining for lot in lots))
    window = None if limit is None else KeyWindow(key_id="key_1", started_at=0, limit=limit)
    before = copy.deepcopy((wallet, lots, reseller, window))
    outcome = refused(place_hold(make_request(fixed_terms(100, 60)), wallet, lots, reseller, window))
    assert outcome.reason == reason
    assert (wallet, lots, reseller, window) == before


def test_the_resellers_overdraft_counts_as_free() -> None:
    reseller = make_reseller(0)
    request = make_request(fixed_terms(10, 60), overdraft=60)
    assert placed(place_hold(request, make_wallet(10), [make_lot(10)], reseller, None)).wholesale == 60
    assert reseller.reserved == 60


def test_a_refusal_names_the_least_that_the_call_would_need_and_what_was_short() -> None:
    terms = HoldTerms(
        retail_fixed=0,
        retail_per_output=1_000,
        wholesale_fixed=0,
        wholesale_per_output=1_000,
        output_limit=100,
        shrink_to=256,
    )
    short = refused(place_hold(make_request(terms), make_wallet(99), [make_lot(99)], make_reseller(), None))
    assert (short.reason, short.required, short.available, short.affordable_output) == ("credit", 100, 99, 99)
    window = KeyWindow(key_id="key_1", started_at=0, limit=100)
    short = refused(place_hold(make_request(terms), make_wallet(100), [make_lot(100)], make_reseller(99), window))
    assert (short.reason, short.required, short.available) == ("wholesale", 100, 99)


def test_a_shorter_answer_does_not_help_where_the_input_alone_is_not_covered() -> None:
    for per_output in (0, 1_000):
        terms = HoldTerms(
            retail_fixed=50_000,
            retail_per_output=per_output,
            wholesale_fixed=0,
            wholesale_per_output=0,
            output_limit=100,
            shrink_to=1,
        )
        assert terms.affordable(retail=49, wholesale=None) == -1
        assert terms.affordable(retail=50, wholesale=None) == (0 if per_output else 100)
        short = refused(place_hold(make_request(terms), make_wallet(49), [make_lot(49)], make_reseller(), None))
        assert (short.reason, short.affordable_output) == ("credit", -1)


def test_what_other_calls_hold_is_free_neither_of_the_reseller_nor_of_the_key() -> None:
    window = KeyWindow(key_id="key_1", started_at=0, limit=100, spent=20, reserved=30)
    lots, reseller = [make_lot(100)], make_reseller(100)
    reseller.reserved = 60
    outcome = place_hold(make_request(fixed_terms(0, 41)), make_wallet(100), lots, reseller, None)
    assert (refused(outcome).reason, refused(outcome).available) == ("wholesale", 40)
    outcome = place_hold(make_request(fixed_terms(51)), make_wallet(100), lots, reseller, window)
    assert (refused(outcome).reason, refused(outcome).available) == ("key_limit", 50)
    placed(place_hold(make_request(fixed_terms(50, 40)), make_wallet(100), lots, reseller, window))
    assert (window.reserved, reseller.reserved, lots[0].reserved) == (80, 100, 50)


def test_debt_refuses_every_call_that_costs_something() -> None:
    wallet = make_wallet(-5, debt=5)
    assert refused(place_hold(make_request(fixed_terms(1)), wallet, [], make_reseller(), None)).reason == "credit"
    assert placed(place_hold(make_request(fixed_terms(0)), wallet, [], make_reseller(), None)).allocations == []


def test_nothing_is_available_while_there_is_debt_whatever_lots_say() -> None:
    wallet, lots = make_wallet(5, debt=5), [make_lot(10)]
    assert available(wallet, lots, NOW) == 0
    assert refused(place_hold(make_request(fixed_terms(1)), wallet, lots, make_reseller(), None)).available == 0
    wallet.debt = 0
    assert available(wallet, lots, NOW) == 10


def test_a_free_call_needs_nothing_of_an_overspent_key_or_reseller() -> None:
    window = KeyWindow(key_id="key_1", started_at=0, limit=10, spent=15)
    hold = placed(place_hold(make_request(fixed_terms(0)), make_wallet(), [], make_reseller(-20), window))
    assert hold.retail == hold.wholesale == 0


def test_what_is_available_in_a_refusal_is_never_negative() -> None:
    window = KeyWindow(key_id="key_1", started_at=0, limit=10, spent=15)
    request = make_request(fixed_terms(1))
    assert refused(place_hold(request, make_wallet(9), [make_lot(9)], make_reseller(), window)).available == 0
    request = make_request(fixed_terms(1, 1))
    assert refused(place_hold(request, make_wallet(9), [make_lot(9)], make_reseller(-5), None)).available == 0


def test_a_hold_on_a_key_without_limit_names_no_window() -> None:
    request = make_request(fixed_terms(1), window_started_at=7)
    assert (
        placed(place_hold(request, make_wallet(9), [make_lot(9)], make_reseller(), None)).window_started_at == NO_WINDOW
    )


def test_capture_consumes_the_allocations_in_their_order_and_frees_the_rest() -> None:
    lots = [make_lot(10, "lot_a", expires_at=NOW + 9), make_lot(10, "lot_b")]
    wallet, reseller = make_wallet(20), make_reseller(100)
    hold = placed(place_hold(make_request(fixed_terms(18, 9)), wallet, lots, reseller, None))
    posting = capture(charge(hold, 12, 6, 3), hold, wallet, lots, reseller, None)
    assert [(lot.remaining, lot.reserved, lot.consumed) for lot in lots] == [(0, 0, 10), (8, 0, 2)]
    assert (wallet.balance, wallet.reserved, reseller.balance, reseller.reserved) == (8, 0, 94, 0)
    (txn,) = posting.txns
    assert [(entry.account, entry.amount) for entry in txn.entries] == [
        ("customer_wallet", -12),
        ("reseller_revenue", 12),
        ("reseller_wallet", -6),
        ("wholesale_revenue", 6),
        ("upstream_cost", -3),
        ("upstream_payable", 3),
    ]
    assert (txn.ref, txn.balance_after, hold.state) == ("req_1", 8, "captured")


def test_a_hold_resolves_once() -> None:
    lots, wallet, reseller = [make_lot(10)], make_wallet(10), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(5)), wallet, lots, reseller, None))
    capture(charge(hold, 5), hold, wallet, lots, reseller, None)
    before = copy.deepcopy((wallet, lots, reseller, hold))
    with pytest.raises(LedgerFault):
        capture(charge(hold, 5), hold, wallet, lots, reseller, None)
    with pytest.raises(LedgerFault):
        void(hold, wallet, lots, reseller, None, at=NOW)
    assert (wallet, lots, reseller, hold) == before


@pytest.mark.parametrize("amounts", [(-1, 0, 0), (0, -1, 0), (5, 3, -1)])
def test_a_negative_charge_is_refused_and_changes_nothing(amounts: tuple[int, int, int]) -> None:
    lots, wallet, reseller = [make_lot(10)], make_wallet(10), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(5)), wallet, lots, reseller, None))
    before = copy.deepcopy((wallet, lots, reseller, hold))
    with pytest.raises(LedgerFault):
        capture(charge(hold, *amounts), hold, wallet, lots, reseller, None)
    assert (wallet, lots, reseller, hold) == before


def test_a_charge_of_nothing_voids_the_hold_without_a_transaction() -> None:
    lots, wallet, reseller = [make_lot(10)], make_wallet(10), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(5)), wallet, lots, reseller, None))
    assert capture(charge(hold, 0), hold, wallet, lots, reseller, None).txns == []
    assert (hold.state, wallet.balance, wallet.reserved, lots[0].reserved) == ("voided", 10, 0, 0)


def test_an_overage_takes_free_lots_then_becomes_debt() -> None:
    lots = [make_lot(10), make_lot(4, "lot_B")]
    wallet, reseller = make_wallet(14), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(8)), wallet, lots, reseller, None))
    capture(charge(hold, 20), hold, wallet, lots, reseller, None)
    assert (wallet.balance, wallet.debt, [lot.remaining for lot in lots]) == (-6, 6, [0, 0])
    assert available(wallet, lots, NOW) == 0


def test_a_grant_pays_debt_first() -> None:
    wallet = make_wallet(-6, debt=6)
    posting = grant(make_grant(10), wallet)
    assert (wallet.balance, wallet.debt, posting.lots[0].remaining, posting.lots[0].consumed) == (4, 0, 4, 6)
    grant_less = make_wallet(-6, debt=6)
    assert grant(make_grant(4), grant_less).lots[0].remaining == 0
    assert (grant_less.balance, grant_less.debt) == (-2, 2)


def test_a_release_pays_debt() -> None:
    lots, wallet, reseller = [make_lot(10)], make_wallet(10), make_reseller()
    first = placed(place_hold(make_request(fixed_terms(4)), wallet, lots, reseller, None))
    second = placed(place_hold(make_request(fixed_terms(6), "req_2"), wallet, lots, reseller, None))
    capture(charge(first, 9), first, wallet, lots, reseller, None)
    assert (wallet.balance, wallet.debt) == (1, 5)
    void(second, wallet, lots, reseller, None, at=NOW)
    assert (wallet.balance, wallet.debt, lots[0].remaining, lots[0].consumed) == (1, 0, 1, 9)


def test_what_was_reserved_before_expiry_may_be_consumed_and_the_rest_expires() -> None:
    lots = [make_lot(10, expires_at=NOW + 5)]
    wallet, reseller = make_wallet(10), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(8)), wallet, lots, reseller, None))
    expired = expire_lots(wallet, lots, txn_prefix="txn_e", tenant_id=1, at=NOW + 6)
    assert (lots[0].remaining, lots[0].expired, wallet.balance) == (8, 2, 8)
    posting = capture(charge(hold, 5, at=NOW + 7), hold, wallet, lots, reseller, None)
    assert (lots[0].remaining, lots[0].consumed, lots[0].expired, wallet.balance) == (0, 5, 5, 0)
    assert [txn.code for txn in (*expired.txns, *posting.txns)] == ["expiry", "call", "expiry"]


def test_debt_is_not_paid_from_credit_that_has_run_out() -> None:
    lots = [make_lot(10, expires_at=NOW)]
    wallet, reseller = make_wallet(10), make_reseller()
    hold = placed(place_hold(make_request(fixed_terms(0)), wallet, lots, reseller, None))
    wallet.debt, wallet.balance = 5, 5
    assert void(hold, wallet, lots, reseller, None, at=NOW).txns == []
    assert (wallet.debt, lots[0].remaining) == (5, 10)


def test_an_overage_takes_neither_expired_credit_nor_that_of_other_models() -> None:
    wallet, reseller = make_wallet(30), make_reseller()
    lots = [make_lot(10), make_lot(10, "lot_ended", expires_at=NOW + 1), make_lot(10, "lot_other", models=("o-*",))]
    hold = placed(place_hold(make_request(fixed_terms(0)), wallet, lots, reseller, None))
    capture(charge(hold, 10, at=NOW + 1), hold, wallet, lots, reseller, None)
    assert [lot.remaining for lot in lots] == [0, 10, 10]
    assert (wallet.balance, wallet.debt) == (20, 0)


def test_a_correction_leaves_credit_alone_that_ends_in_its_moment() -> None:
    wallet, lots = make_wallet(20), [make_lot(10, "lot_ended", expires_at=NOW), make_lot(10)]
    assert available(wallet, lots, NOW) == 10
    request = TakeBack(txn_id="txn_1", tenant_id=1, wallet_id=1, amount=10, at=NOW)
    assert isinstance(take_back(request, wallet, lots), Posting)
    assert [lot.clawed_back for lot in lots] == [0, 10]


def test_credit_ends_in_the_moment_of_its_expiry() -> None:
    lots, wallet = [make_lot(10, "lot_a", expires_at=NOW), make_lot(10, "lot_b", expires_at=NOW + 1)], make_wallet(20)
    posting = expire_lots(wallet, lots, txn_prefix="txn_x_", tenant_id=1, at=NOW)
    assert [txn.ref for txn in posting.txns] == ["lot_a"]
    assert (wallet.balance, lots[0].expired, lots[1].remaining) == (10, 10, 10)


def test_two_settles_at_one_moment_post_different_transactions() -> None:
    lots = [make_lot(10, expires_at=NOW + 5)]
    wallet, reseller = make_wallet(10), make_reseller()
    holds = [
        placed(place_hold(make_request(fixed_terms(5), f"req_{i}"), wallet, lots, reseller, None)) for i in range(2)
    ]
    txns: list[Txn] = []
    for hold in holds:
        txns += void(hold, wallet, lots, reseller, None, at=NOW + 9).txns
    assert [txn.code for txn in txns] == ["expiry", "expiry"]
    assert txns[0].id != txns[1].id


def make_grant(amount: int, number: int = 0, **options: object) -> Grant:
    return Grant(
        lot_id=f"lot_{number}",
        txn_id=f"txn_{number}",
        tenant_id=1,
        wallet_id=1,
        kind="manual",
        amount=amount,
        at=NOW,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("amount", [0, -1])
def test_grants_and_corrections_are_positive(amount: int) -> None:
    wallet, lots = make_wallet(10), [make_lot(10)]
    with pytest.raises(LedgerFault):
        grant(make_grant(amount), wallet)
    with pytest.raises(LedgerFault):
        take_back(TakeBack(txn_id="txn_1", tenant_id=1, wallet_id=1, amount=amount, at=NOW), wallet, lots)
    assert (wallet.balance, lots[0].remaining) == (10, 10)


def test_a_move_of_nothing_is_a_fault() -> None:
    with pytest.raises(LedgerFault):
        move_wholesale(WholesaleMove(txn_id="txn_1", tenant_id=1, wallet_id=2, amount=0, at=NOW), make_reseller())


def test_no_wallet_grows_beyond_what_the_ledger_can_hold() -> None:
    wallet, reseller = make_wallet(MAX_AMOUNT_NANO - 1), make_reseller(MAX_AMOUNT_NANO - 1)
    move = WholesaleMove(txn_id="txn_1", tenant_id=1, wallet_id=2, amount=2, at=NOW)
    with pytest.raises(InvalidAmount):
        grant(make_grant(2), wallet)
    with pytest.raises(InvalidAmount):
        move_wholesale(move, reseller)
    assert wallet.balance == reseller.balance == MAX_AMOUNT_NANO - 1
    assert grant(make_grant(1), wallet).lots[0].remaining == 1


def test_a_correction_takes_free_credit_only() -> None:
    lots, wallet, reseller = [make_lot(10), make_lot(5, "lot_B")], make_wallet(15), make_reseller()
    place_hold(make_request(fixed_terms(6)), wallet, lots, reseller, None)
    too_much = TakeBack(txn_id="txn_1", tenant_id=1, wallet_id=1, amount=10, at=NOW)
    before = copy.deepcopy((wallet, lots))
    assert refused(take_back(too_much, wallet, lots)).available == 9
    assert (wallet, lots) == before
    fits = TakeBack(txn_id="txn_1", tenant_id=1, wallet_id=1, amount=9, at=NOW)
    assert isinstance(take_back(fits, wallet, lots), Posting)
    assert (wallet.balance, sum(lot.clawed_back for lot in lots)) == (6, 9)


def test_a_reseller_can_take_out_what_is_free() -> None:
    reseller = make_reseller(10)
    reseller.reserved = 4
    move = WholesaleMove(txn_id="txn_1", tenant_id=1, wallet_id=2, amount=-7, at=NOW)
    assert refused(move_wholesale(move, reseller)).available == 6
    move = WholesaleMove(txn_id="txn_1", tenant_id=1, wallet_id=2, amount=-6, at=NOW)
    assert isinstance(move_wholesale(move, reseller), Posting)
    assert reseller.balance == 4


@given(
    retail_fixed=st.integers(0, 10**6),
    retail_per_output=st.integers(0, 10**5),
    wholesale_fixed=st.integers(0, 10**6),
    wholesale_per_output=st.integers(0, 10**5),
    output_limit=st.integers(1, 5000),
    choices=st.integers(1, 4),
    shrink_to=st.none() | st.integers(1, 600),
    credit=st.integers(0, 10**6),
    reseller_balance=st.integers(-1000, 10**6),
    overdraft=st.integers(0, 10**5),
    key_limit=st.none() | st.integers(0, 10**6),
)
def test_a_lowered_limit_is_covered_and_the_largest_that_is(
    retail_fixed: int,
    retail_per_output: int,
    wholesale_fixed: int,
    wholesale_per_output: int,
    output_limit: int,
    choices: int,
    shrink_to: int | None,
    credit: int,
    reseller_balance: int,
    overdraft: int,
    key_limit: int | None,
) -> None:
    terms = HoldTerms(
        retail_fixed=retail_fixed,
        retail_per_output=retail_per_output,
        wholesale_fixed=wholesale_fixed,
        wholesale_per_output=wholesale_per_output,
        output_limit=output_limit,
        choices=choices,
        shrink_to=shrink_to,
    )
    window = None if key_limit is None else KeyWindow(key_id="key_1", started_at=0, limit=key_limit)
    lots, wallet, reseller = [make_lot(credit)], make_wallet(credit), make_reseller(reseller_balance)
    before = copy.deepcopy((wallet, lots, reseller, window))

    def covered(limit: int) -> bool:
        retail_free = credit if key_limit is None else min(credit, key_limit)
        wholesale_free = max(0, reseller_balance + overdraft)
        return terms.retail(limit) <= retail_free and terms.wholesale(limit) <= wholesale_free

    outcome = place_hold(make_request(terms, overdraft=overdraft), wallet, lots, reseller, window)
    if isinstance(outcome, Hold):
        assert covered(outcome.output_limit)
        assert outcome.output_limit == output_limit or not covered(outcome.output_limit + 1)
        assert outcome.output_limit == output_limit or (shrink_to is not None and outcome.output_limit >= shrink_to)
        assert (outcome.retail, outcome.wholesale) == (
            terms.retail(outcome.output_limit),
            terms.wholesale(outcome.output_limit),
        )
        assert sum(amount for _, amount in outcome.allocations) == outcome.retail == wallet.reserved
    else:
        assert not covered(output_limit if shrink_to is None else min(shrink_to, output_limit))
        assert (wallet, lots, reseller, window) == before
        assert outcome.required > outcome.available


class LedgerMachine(RuleBasedStateMachine):
    """Any order of decisions on one customer, one reseller and one key, against sums kept beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.wallet, self.reseller = make_wallet(), make_reseller(5_000)
        self.window = KeyWindow(key_id="key_1", started_at=0, limit=20_000)
        self.lots: list[Lot] = []
        self.holds: list[Hold] = []
        self.txns: list[Txn] = []
        self.granted = self.charged = self.clawed_back = self.number = 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _post(self, posting: Posting) -> None:
        self.txns += posting.txns
        self.lots += posting.lots

    def _open(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.state == "open"]

    @rule(
        amount=st.integers(1, 1000),
        lifetime=st.none() | st.integers(1, 30),
        kind=st.sampled_from(["manual", "promo", "topup"]),
        priority=st.integers(0, 2),
        models=st.sampled_from([(), ("gpt-*",), ("claude-*",)]),
    )
    def give(self, amount: int, lifetime: int | None, kind: str, priority: int, models: tuple[str, ...]) -> None:
        n = self._next()
        request = Grant(
            lot_id=f"lot_{n}",
            txn_id=f"txn_g{n}",
            tenant_id=1,
            wallet_id=1,
            kind=kind,
            amount=amount,
            at=self.now,
            priority=priority,
            expires_at=None if lifetime is None else self.now + lifetime,
            models=models,
        )
        self._post(grant(request, self.wallet))
        self.granted += amount

    @rule(retail=st.integers(0, 800), wholesale=st.integers(0, 600), model=st.sampled_from(["gpt-x", "claude-y"]))
    def hold(self, retail: int, wholesale: int, model: str) -> None:
        before = copy.deepcopy((self.wallet, self.lots, self.reseller, self.window))
        request = make_request(
            fixed_terms(retail, wholesale),
            f"req_{self._next()}",
            model=model,
            created_at=self.now,
            key_limit=self.window.limit,
        )
        outcome = place_hold(request, self.wallet, self.lots, self.reseller, self.window)
        if isinstance(outcome, HoldRefused):
            assert (self.wallet, self.lots, self.reseller, self.window) == before
            return
        self.holds.append(outcome)
        self._judge_allocations(outcome, {lot.id: lot for lot in before[1]})

    def _judge_allocations(self, hold: Hold, before: dict[str, Lot]) -> None:
        taken = dict(hold.allocations)
        assert sum(taken.values()) == hold.retail
        rest = hold.retail
        for lot in burn_order(list(before.values())):
            fits = (lot.expires_at is None or lot.expires_at > self.now) and (
                not lot.models or hold.model.startswith(lot.models[0][:-1])
            )
            expected = min(rest, lot.remaining - lot.reserved) if fits else 0
            assert taken.get(lot.id, 0) == expected
            rest -= expected

    @precondition(lambda self: bool(self._open()))
    @rule(
        data=st.data(),
        share=st.integers(0, 150),
        wholesale=st.integers(0, 700),
        cost=st.integers(0, 500),
    )
    def settle(self, data: st.DataObject, share: int, wholesale: int, cost: int) -> None:
        hold = data.draw(st.sampled_from(self._open()))
        retail = hold.retail * share // 100
        charge = Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=cost, at=self.now)
        self._post(capture(charge, hold, self.wallet, self.lots, self.reseller, self.window))
        self.charged += retail
        with pytest.raises(LedgerFault):
            capture(charge, hold, self.wallet, self.lots, self.reseller, self.window)

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(self._open()))
        self._post(void(hold, self.wallet, self.lots, self.reseller, self.window, at=self.now))

    @rule(amount=st.integers(1, 900))
    def correct(self, amount: int) -> None:
        request = TakeBack(txn_id=f"txn_t{self._next()}", tenant_id=1, wallet_id=1, amount=amount, at=self.now)
        before = copy.deepcopy((self.wallet, self.lots))
        outcome = take_back(request, self.wallet, self.lots)
        if isinstance(outcome, HoldRefused):
            assert amount > available(self.wallet, self.lots, self.now)
            assert (self.wallet, self.lots) == before
            return
        self._post(outcome)
        self.clawed_back += amount

    @rule(amount=st.integers(-800, 800).filter(bool))
    def move(self, amount: int) -> None:
        free = self.reseller.balance - self.reseller.reserved
        request = WholesaleMove(txn_id=f"txn_m{self._next()}", tenant_id=1, wallet_id=2, amount=amount, at=self.now)
        outcome = move_wholesale(request, self.reseller)
        assert isinstance(outcome, HoldRefused) == (amount < 0 and -amount > free)
        if isinstance(outcome, Posting):
            self._post(outcome)

    @rule(step=st.integers(1, 20), sweep=st.booleans())
    def wait(self, step: int, sweep: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        self.now += step
        if sweep:
            prefix = f"txn_x{self._next()}"
            self._post(expire_lots(self.wallet, self.lots, txn_prefix=prefix, tenant_id=1, at=self.now))

    @invariant()
    def transactions_sum_to_zero(self) -> None:
        assert all(sum(entry.amount for entry in txn.entries) == 0 for txn in self.txns)
        assert len({txn.id for txn in self.txns}) == len(self.txns)

    @invariant()
    def balances_are_their_lots_and_their_entries(self) -> None:
        assert self.wallet.debt >= 0
        assert self.wallet.balance == sum(lot.remaining for lot in self.lots) - self.wallet.debt
        for wallet, opening in ((self.wallet, 0), (self.reseller, 5_000)):
            entries = [entry for txn in self.txns for entry in txn.entries if entry.wallet_id == wallet.id]
            assert wallet.balance == opening + sum(entry.amount for entry in entries)
        expired = sum(lot.expired for lot in self.lots)
        assert self.wallet.balance == self.granted - self.charged - self.clawed_back - expired

    @invariant()
    def reserved_is_what_open_holds_reserve(self) -> None:
        retail = sum(hold.retail for hold in self._open())
        assert self.wallet.reserved == retail == sum(lot.reserved for lot in self.lots) == self.window.reserved
        assert self.reseller.reserved == sum(hold.wholesale for hold in self._open())
        assert self.window.spent == self.charged

    @invariant()
    def lots_are_whole_and_in_bounds(self) -> None:
        for lot in self.lots:
            assert 0 <= lot.reserved <= lot.remaining <= lot.amount
            assert lot.amount == lot.remaining + lot.consumed + lot.expired + lot.clawed_back
            assert min(lot.consumed, lot.expired, lot.clawed_back) >= 0

    @invariant()
    def debt_and_free_credit_never_meet(self) -> None:
        free = [
            lot
            for lot in self.lots
            if lot.remaining > lot.reserved and (lot.expires_at is None or lot.expires_at > self.now)
        ]
        assert not (self.wallet.debt and free)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
