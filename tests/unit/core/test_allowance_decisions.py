"""A lot with a daily allowance: what calls may hold of it on one day, and what comes back to which day."""

from __future__ import annotations

from reseller_kit.core.ledger import (
    NO_WINDOW,
    Capture,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    Lot,
    Wallet,
    capture,
    place_hold,
    void,
)
from reseller_kit.core.times import DAY_US

TODAY = 20_000 * DAY_US
NOON = TODAY + DAY_US // 2


def make_wallet() -> Wallet:
    return Wallet(id=1, tenant_id=1, balance=100)


def make_reseller() -> Wallet:
    return Wallet(id=2, tenant_id=1, balance=1_000)


def make_lot(lot_id: str = "lot_a", *, remaining: int = 100, daily: int | None = 10) -> Lot:
    return Lot(id=lot_id, wallet_id=1, kind="package", amount=remaining, remaining=remaining, daily=daily)


def ask(amount: int, lots: list[Lot], wallet: Wallet, *, at: int = NOON) -> Hold | HoldRefused:
    terms = HoldTerms(
        retail_fixed=amount * 1000, retail_per_output=0, wholesale_fixed=0, wholesale_per_output=0, output_limit=1
    )
    request = HoldRequest(
        request_id="req_1",
        tenant_id=1,
        customer_id="cus_1",
        wallet_id=1,
        reseller_wallet_id=2,
        key_id="key_1",
        key_limit=None,
        window_started_at=NO_WINDOW,
        overdraft=0,
        model="gpt-5-mini",
        retail_version="prv_1",
        wholesale_version="prv_2",
        terms=terms,
        created_at=at,
    )
    return place_hold(request, wallet, lots, make_reseller(), None)


def held(amount: int, lots: list[Lot], wallet: Wallet, *, at: int = NOON) -> Hold:
    hold = ask(amount, lots, wallet, at=at)
    assert isinstance(hold, Hold)
    return hold


def test_calls_hold_no_more_of_a_lot_than_its_allowance_of_the_day() -> None:
    lot, wallet = make_lot(), make_wallet()
    held(7, [lot], wallet)
    refused = ask(4, [lot], wallet)
    assert refused == HoldRefused(
        reason="daily_allowance", required=4, available=3, affordable_output=-1, renews_at=TODAY + DAY_US
    )
    held(3, [lot], wallet)
    assert (lot.reserved, lot.used) == (10, 10)
    assert held(10, [lot], wallet, at=TODAY + DAY_US).allocations == [("lot_a", 10)]
    assert (lot.day, lot.used) == (TODAY + DAY_US, 10)


def test_beyond_the_allowance_other_lots_are_held_in_burn_order() -> None:
    lots, wallet = [make_lot("lot_b", daily=None), make_lot("lot_a")], make_wallet()
    assert held(25, lots, wallet).allocations == [("lot_a", 10), ("lot_b", 15)]


def test_an_allowance_gives_no_more_than_what_the_lot_has_left() -> None:
    refused = ask(6, [make_lot(remaining=5)], make_wallet())
    assert isinstance(refused, HoldRefused)
    assert (refused.reason, refused.available) == ("credit", 5)


def test_what_a_call_did_not_use_comes_back_to_the_day_it_was_held_on() -> None:
    lot, wallet = make_lot(), make_wallet()
    hold = held(10, [lot], wallet)
    charge = Capture(request_id="req_1", retail=4, wholesale=0, cost=0, at=NOON + 1)
    capture(charge, hold, wallet, [lot], make_reseller(), None)
    assert (lot.used, lot.reserved, lot.remaining) == (4, 0, 96)
    assert isinstance(ask(7, [lot], wallet), HoldRefused)
    held(6, [lot], wallet)


def test_a_call_that_ends_after_midnight_gives_nothing_to_the_new_day() -> None:
    lot, wallet = make_lot(), make_wallet()
    yesterday = held(10, [lot], wallet)
    held(10, [lot], wallet, at=TODAY + DAY_US)
    void(yesterday, wallet, [lot], make_reseller(), None, at=TODAY + DAY_US + 1)
    assert (lot.used, lot.reserved) == (10, 10)
    assert isinstance(ask(1, [lot], wallet, at=TODAY + DAY_US + 2), HoldRefused)
