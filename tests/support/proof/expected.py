"""What `World.stored` has to be, by the second ledger. Asks no database."""

from __future__ import annotations

from typing import Any

from tests.support.ledger import Shop
from tests.support.proof.model import DAY, Book


def expected(book: Book, shops: list[Shop]) -> dict[str, Any]:
    """The figures of one storefront with these customers."""
    reseller = "reseller_accrual" if book.sharing else "reseller_wallet"
    drawn_on = (book.wholesale, book.wholesale_held(), 0)
    wallets: dict[str, tuple[int, int, int]] = {reseller: drawn_on} if any(drawn_on) else {}
    for shop in shops:
        customer = shop.customer_id
        wallets[customer] = (book.balance(customer), book.reserved(customer), book.debts[customer])
    sinks = {**book.sinks, "customer_cash": -book.cash()}
    periods = {hold.window for hold in book.holds.values() if hold.window is not None}
    windows = {period: (book.spent[period], book.window_held(period)) for period in periods}
    return {
        "wallets": wallets,
        "sinks": {kind: total for kind, total in sinks.items() if total},
        "transactions": book.transactions,
        "lots": {
            lot.name: (lot.given, lot.left, book.held(lot), lot.spent, lot.lapsed, lot.taken, lot.cash, lot.accrued)
            for lot in book.lots.values()
        },
        "days": {
            lot.name: (book.last_day(lot) * DAY, book.used(lot, book.last_day(lot)))
            for lot in book.lots.values()
            if lot.daily is not None and book.last_day(lot)
        },
        "windows": {period: figures for period, figures in windows.items() if any(figures)},
        "holds": {
            hold.name: (hold.state, *hold.owner, hold.limit, hold.retail, hold.wholesale, tuple(hold.parts))
            for hold in book.holds.values()
        },
        "usage": book.charges,
        "redemptions": book.redeemed,
        "vouchers": {name: sum(which == name for which, _ in book.redeemed) for name in book.vouchers},
        "refunds": {
            lot.name: (lot.refunded_free, lot.refunded_lapsed, lot.owed) for lot in book.lots.values() if lot.refunded
        },
        "reversals": {f"txn_{call.partition('_')[2]}": name for call, name in book.reversed.items()},
        "payouts": book.payouts,
    }
