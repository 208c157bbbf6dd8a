"""What `World.stored` has to be, by the second ledger. Asks no database."""

from __future__ import annotations

from typing import Any

from tests.support.ledger import Shop
from tests.support.proof.model import Book


def expected(book: Book, shops: list[Shop]) -> dict[str, Any]:
    """The figures of one storefront with these customers."""
    wallets: dict[str, tuple[int, int, int]] = {"": (book.wholesale, book.wholesale_held(), 0)}
    for shop in shops:
        customer = shop.customer_id
        wallets[customer] = (book.balance(customer), book.reserved(customer), book.debts[customer])
    periods = {hold.window for hold in book.holds.values() if hold.window is not None}
    windows = {period: (book.spent[period], book.window_held(period)) for period in periods}
    return {
        "wallets": wallets,
        "sinks": {kind: total for kind, total in book.sinks.items() if total},
        "transactions": book.transactions,
        "lots": {
            lot.name: (lot.given, lot.left, book.held(lot), lot.spent, lot.lapsed, lot.taken)
            for lot in book.lots.values()
        },
        "windows": {period: figures for period, figures in windows.items() if any(figures)},
        "holds": {
            hold.name: (hold.state, *hold.owner, hold.limit, hold.retail, hold.wholesale, tuple(hold.parts))
            for hold in book.holds.values()
        },
        "usage": book.charges,
    }
