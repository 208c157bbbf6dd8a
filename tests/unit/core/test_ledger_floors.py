"""What a decision depends on, one kind of decision after the other."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.core.ledger import (
    NO_WINDOW,
    Capture,
    Floors,
    Hold,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    Wallet,
    capture,
    place_hold,
)
from reseller_kit.core.times import DAY_US

NOW = 5 * DAY_US
CUSTOMER, RESELLER, KEY = 1, 2, ("key_A", 0)


class Shop:
    """A customer with 100, a reseller with 50 and an overdraft of 7, a key that may spend 80; and what is noted."""

    def __init__(self, *lots: Lot, accrues: bool = False, debt: int = 0) -> None:
        self.lots = list(lots) or [lot("lot_A", 100)]
        remaining = sum(each.remaining for each in self.lots)
        self.wallet = Wallet(id=CUSTOMER, tenant_id=1, balance=remaining - debt, debt=debt)
        self.reseller = Wallet(id=RESELLER, tenant_id=1, balance=50, accrues=accrues)
        self.window = KeyWindow(key_id=KEY[0], started_at=KEY[1], limit=80)
        self.floors = Floors()

    def hold(self, retail: int, wholesale: int = 0, *, limited: bool = False, **terms: Any) -> Any:
        """A call that reserves this, and its note."""
        fixed = {"retail_fixed": retail * 1000, "retail_per_output": 0, "wholesale_per_output": 0, "output_limit": 9}
        request = HoldRequest(
            request_id="req_1",
            tenant_id=1,
            customer_id="cus_1",
            wallet_id=CUSTOMER,
            reseller_wallet_id=RESELLER,
            key_id=KEY[0],
            key_limit=80 if limited else None,
            window_started_at=0 if limited else NO_WINDOW,
            overdraft=7,
            model="gpt-1",
            retail_version="r",
            wholesale_version="w",
            terms=HoldTerms(**(fixed | {"wholesale_fixed": wholesale * 1000} | terms)),
            created_at=NOW,
        )
        window = self.window if limited else None
        outcome = place_hold(request, self.wallet, self.lots, self.reseller, window)
        self.floors.note_hold(request, outcome, self.wallet, self.lots, self.reseller, window)
        return outcome

    def end(self, hold: Hold, retail: int, *, at: int = NOW) -> None:
        """The call's end, and its note."""
        charge = Capture(request_id="req_1", retail=retail, wholesale=0, cost=1, at=at)
        self.floors.note_end(charge, hold, self.wallet, self.lots, self.reseller)
        capture(charge, hold, self.wallet, self.lots, self.reseller, None)


def lot(lot_id: str, amount: int, **terms: Any) -> Lot:
    return Lot(id=lot_id, wallet_id=CUSTOMER, kind="manual", amount=amount, remaining=amount, **terms)


def noted(floors: Floors) -> tuple[Any, ...]:
    return floors.exact, floors.exact_windows, floors.wallets, floors.lots, floors.windows


def test_holds_and_charges_within_them_need_what_the_tightest_one_left() -> None:
    shop = Shop()
    first = shop.hold(30, 20, limited=True)
    shop.hold(40, 15, limited=True)
    shop.end(first, 10)
    shop.hold(20, 5)
    assert noted(shop.floors) == (set(), set(), {RESELLER: 57 - 35}, {"lot_A": 30}, {KEY: 10})


def test_a_hold_of_nothing_needs_nothing() -> None:
    shop = Shop(lot("lot_A", 1))
    shop.hold(0, 0, limited=True)
    assert noted(shop.floors) == (set(), set(), {}, {}, {})


def test_a_hold_is_on_the_lot_that_comes_first_however_little_is_left_of_it() -> None:
    shop = Shop(lot("lot_A", 30, priority=-1), lot("lot_B", 70))
    shop.hold(30)
    assert noted(shop.floors)[:4] == (set(), set(), {}, {"lot_A": 0})
    shop.hold(1)
    assert shop.floors.exact == {CUSTOMER}


def test_a_lot_that_was_used_up_just_now_still_comes_first() -> None:
    """Others may have given back to it, so that something remains."""
    shop = Shop(lot("lot_A", 30, priority=-1), lot("lot_B", 70))
    shop.end(shop.hold(30), 30)
    assert shop.floors.exact == set()
    shop.hold(1)
    assert shop.floors.exact == {CUSTOMER}


def test_a_lot_that_does_not_fit_is_not_the_first() -> None:
    shop = Shop(lot("lot_A", 30, priority=-1, models=("other",)), lot("lot_B", 70))
    shop.hold(70)
    assert noted(shop.floors)[:4] == (set(), set(), {}, {"lot_B": 0})


def test_a_hold_over_several_lots_is_exact_for_its_customer_alone() -> None:
    shop = Shop(lot("lot_A", 30, priority=-1), lot("lot_B", 70))
    shop.hold(31, 4, limited=True)
    assert noted(shop.floors) == ({CUSTOMER}, set(), {RESELLER: 53}, {}, {KEY: 49})


@pytest.mark.parametrize("terms", [{"daily": 60}, {"daily": 200}])
def test_a_daily_allowance_is_exact(terms: dict[str, int]) -> None:
    shop = Shop(lot("lot_A", 100, **terms))
    hold = shop.hold(10, 4)
    assert shop.floors.exact == {CUSTOMER}
    shop.floors = Floors()
    shop.end(hold, 5)
    assert shop.floors.exact == {CUSTOMER}


def test_debt_is_exact() -> None:
    shop = Shop(debt=10)
    hold = shop.hold(0)
    assert shop.floors.exact == {CUSTOMER}
    shop.floors = Floors()
    shop.end(hold, 0)
    assert shop.floors.exact == {CUSTOMER}


def test_a_charge_above_its_hold_is_exact() -> None:
    shop = Shop()
    shop.end(shop.hold(10), 11)
    assert shop.floors.exact == {CUSTOMER}


@pytest.mark.parametrize(("at", "exact"), [(NOW + 9, set()), (NOW + 10, {CUSTOMER})])
def test_a_charge_of_credit_that_has_run_out_is_exact(at: int, exact: set[int]) -> None:
    shop = Shop(lot("lot_A", 100, expires_at=NOW + 10), lot("lot_B", 5, expires_at=NOW + 1))
    shop.lots.pop()
    shop.end(shop.hold(10), 5, at=at)
    assert shop.floors.exact == exact


def test_a_revenue_share_is_exact_with_its_customers() -> None:
    shop = Shop(accrues=True)
    hold = shop.hold(10, 4)
    assert shop.floors.exact == {CUSTOMER, RESELLER}
    shop.floors = Floors()
    shop.end(hold, 5)
    assert shop.floors.exact == {CUSTOMER, RESELLER}
    shop.floors = Floors()
    shop.hold(1_000)
    assert shop.floors.exact == {CUSTOMER, RESELLER}


@pytest.mark.parametrize(
    ("retail", "wholesale", "reason", "exact", "windows"),
    [
        (101, 58, "credit", {CUSTOMER}, set()),
        (81, 58, "key_limit", {CUSTOMER}, {KEY}),
        (80, 58, "wholesale", {CUSTOMER, RESELLER}, {KEY}),
    ],
)
def test_a_refusal_depends_on_what_it_names_and_what_was_looked_at_before(
    retail: int, wholesale: int, reason: str, exact: set[int], windows: set[Any]
) -> None:
    shop = Shop()
    assert shop.hold(retail, wholesale, limited=True).reason == reason
    assert noted(shop.floors) == (exact, windows, {}, {}, {})


def test_a_lowered_limit_depends_on_all() -> None:
    shop = Shop()
    lowered = shop.hold(0, limited=True, retail_fixed=0, retail_per_output=10_000, wholesale_fixed=0, shrink_to=2)
    assert lowered.output_limit == 8
    assert noted(shop.floors) == ({CUSTOMER, RESELLER}, {KEY}, {}, {}, {})
