"""What the second ledger does for each kind of operation: one function a concept. Imports nothing of the product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.proof.model import LEVELS, Book, Hold, Lot, Outcome, Terms, charge

FAULT: Outcome = ("error", "LedgerFault")


def place(
    book: Book,
    name: str,
    customer: str,
    *,
    terms: Terms,
    model: str,
    window: tuple[str, int] | None,
    key_limit: int | None,
    overdraft: int,
    owner: tuple[str, int],
    now: int,
) -> Outcome:
    """Reserve a call's most possible cost, with a lower output limit if that is allowed and needed."""
    credit = book.available(customer, now, model)
    key_left = None
    if window is not None and key_limit is not None:
        key_left = max(0, key_limit - book.spent[window] - book.window_held(window))
    wholesale_left = max(0, book.wholesale - book.wholesale_held() + overdraft)
    retail_left = credit if key_left is None else min(credit, key_left)
    limit = terms.limit
    floor = terms.limit if terms.floor is None else min(terms.floor, terms.limit)
    retail, wholesale = terms.cost(limit)
    if retail > retail_left or wholesale > wholesale_left:
        limit = terms.most(retail_left, wholesale_left)
        if terms.floor is None or limit < floor:
            return _refusal(terms, floor, credit, key_left, wholesale_left)
        retail, wholesale = terms.cost(limit)
    parts, rest = [], retail
    for lot in book.lots_of(customer):
        part = min(rest, book.free(lot)) if lot.fits(model) and not lot.has_ended(now) else 0
        if part:
            parts.append((lot.name, part))
            rest -= part
    book.holds[name] = Hold(name, customer, owner, model, window, limit, retail, wholesale, parts)
    return ("held", limit, retail, wholesale, tuple(parts))


def _refusal(terms: Terms, floor: int, credit: int, key_left: int | None, wholesale_left: int) -> Outcome:
    retail, wholesale = terms.cost(floor)
    if retail > credit:
        return ("refused", "credit", retail, credit, terms.most(credit, None))
    if key_left is not None and retail > key_left:
        return ("refused", "key_limit", retail, key_left, terms.most(key_left, None))
    return ("refused", "wholesale", wholesale, wholesale_left, terms.most(None, wholesale_left))


def settle(
    book: Book, name: str, used: Mapping[str, int], *, by: tuple[str, int], now: int, nothing: str = "voided"
) -> Outcome:
    """Resolve a hold once: its parts in order, then free credit, then debt; what is left over is free again."""
    hold = book.holds.get(name)
    if hold is None:
        return FAULT
    if hold.state != "open":
        return ("settled", hold.state, True)
    if hold.owner != by:
        return FAULT
    retail, wholesale, cost = (charge(level, used) for level in LEVELS)
    charged = bool(retail or wholesale or cost)
    hold.state = "captured" if charged else nothing
    rest = retail
    over = []
    for lot_name, part in hold.parts:
        paid = min(rest, part)
        book.lots[lot_name].spent += paid
        rest -= paid
        if paid < part:
            over.append(book.lots[lot_name])
    book.debts[hold.customer] += book.spend_free(hold.customer, rest, now, hold.model)
    book.lapse(over, now)
    book.net(hold.customer, now)
    book.wholesale -= wholesale
    book.charges[name] = (retail, wholesale, cost)
    if charged:
        book.transactions["call"] += 1
        book.sinks["reseller_revenue"] += retail
        book.sinks["wholesale_revenue"] += wholesale
        book.sinks["upstream_cost"] -= cost
        book.sinks["upstream_payable"] += cost
        if hold.window is not None:
            book.spent[hold.window] += retail
    return ("settled", hold.state, False)


def give(book: Book, lot: Lot, *, now: int) -> Outcome:
    """A new lot; it pays debt first."""
    book.lots[lot.name] = lot
    book.net(lot.customer, now)
    book.transactions["grant"] += 1
    book.sinks["credit_issued"] -= lot.given
    return ("posted", lot.name, lot.given, book.balance(lot.customer))


def take(book: Book, name: str, customer: str, amount: int, *, now: int) -> Outcome:
    """Free credit is taken away by hand, or nothing is."""
    free = book.available(customer, now)
    if amount > free:
        return ("refused", "credit", amount, free, 0)
    rest = amount
    for lot in book.lots_of(customer):
        if not lot.has_ended(now):
            part = min(rest, book.free(lot))
            lot.taken += part
            rest -= part
    book.transactions["adjustment"] += 1
    book.sinks["credit_issued"] += amount
    return ("posted", name, amount, book.balance(customer))


def move(book: Book, name: str, amount: int) -> Outcome:
    """Money into or out of the reseller's wallet; only what is free can leave."""
    free = book.wholesale - book.wholesale_held()
    if -amount > max(free, 0) and amount < 0:
        return ("refused", "wholesale", -amount, free, 0)
    book.wholesale += amount
    book.transactions["deposit"] += 1
    book.sinks["deposits"] -= amount
    return ("posted", name, amount, book.wholesale)


def expire(book: Book, name: str, customer: str, *, now: int) -> Outcome:
    """Everything that has run out and is free goes to breakage."""
    gone = book.lapse(book.lots_of(customer), now)
    return ("posted", name, -gone, book.balance(customer))


def once(book: Book, operation: str, key: str, body: Any, work: Callable[[], Outcome]) -> Outcome:
    """The same key and body: the same answer, whatever it was. Another body: a conflict."""
    known = book.known.get((operation, key))
    if known is not None:
        return known[1] if known[0] == body else ("error", "Conflict")
    outcome = work()
    book.known[operation, key] = (body, outcome)
    return outcome
