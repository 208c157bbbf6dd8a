"""What the second ledger does for each kind of operation: one function a concept. Imports nothing of the product."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tests.support.proof.model import DAY, LEVELS, Book, Hold, Lot, Outcome, Terms, charge

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
    day = book.day(customer, now)
    now = max(now, day * DAY)
    credit = book.available(customer, now, model)
    key_left = None
    if window is not None and key_limit is not None:
        key_left = max(0, key_limit - book.spent[window] - book.window_held(window))
    wholesale_left = max(0, book.wholesale - book.wholesale_held() + overdraft)
    retail_left = credit if key_left is None else min(credit, key_left)
    limit = terms.limit
    floor = terms.limit if terms.floor is None else min(terms.floor, terms.limit)

    def cost(limit: int) -> tuple[int, int]:
        retail, wholesale = terms.cost(limit)
        return retail, _stake(book, _plan(book, customer, model, retail, now), wholesale) if book.sharing else wholesale

    retail, wholesale = cost(limit)
    if retail > retail_left or wholesale > wholesale_left:
        if book.sharing:
            limit = _halved(terms.most(retail_left, None), lambda limit: cost(limit)[1] <= wholesale_left)
        else:
            limit = terms.most(retail_left, wholesale_left)
        if terms.floor is None or limit < floor:
            kept_back = 0
            if not book.debts[customer]:
                free = (book.free(lot) for lot in book.lots_of(customer) if lot.fits(model) and not lot.has_ended(now))
                kept_back = sum(free) - credit
            return _refusal(terms, cost(floor), credit, key_left, wholesale_left, kept_back)
        retail, wholesale = cost(limit)
    parts = _plan(book, customer, model, retail, now)
    book.holds[name] = Hold(name, customer, owner, model, window, limit, retail, wholesale, parts, day)
    return ("held", limit, retail, wholesale, tuple(parts))


def _plan(book: Book, customer: str, model: str, amount: int, now: int) -> list[tuple[str, int]]:
    """Which lots would be reserved."""
    parts = []
    for lot in book.lots_of(customer):
        part = min(amount, book.spendable(lot, now, model))
        if part:
            parts.append((lot.name, part))
            amount -= part
    return parts


def _stake(book: Book, parts: list[tuple[str, int]], wholesale: int) -> int:
    """The most that the call can take from the share: a charge may end at any lot, whose cash came by then."""
    whole = sum(part for _, part in parts)
    if not whole:
        return wholesale
    used = cash = most = 0
    for name, part in parts:
        used += part
        cash += book.lots[name].cash_of(part)
        most = max(most, math.ceil(Fraction(wholesale * used, whole)) - cash)
    return most


def _halved(most: int, covered: Callable[[int], bool]) -> int:
    """A limit that is covered, found by halving: what a limit stakes need not rise with it."""
    low, high = -1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if covered(middle) else (low, middle)
    return low


def _refusal(
    terms: Terms, needed: tuple[int, int], credit: int, key_left: int | None, wholesale_left: int, kept_back: int
) -> Outcome:
    retail, wholesale = needed
    if retail > credit:
        why = "daily_allowance" if kept_back and retail <= credit + kept_back else "credit"
        return ("refused", why, retail, credit, terms.most(credit, None))
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
    parts, over = [], []
    rest = retail
    for lot_name, part in hold.parts:
        paid = min(rest, part)
        book.lots[lot_name].spent += paid
        rest -= paid
        parts.append((lot_name, paid))
        if paid < part:
            over.append(book.lots[lot_name])
    for model in (hold.model, None):
        *found, (_, rest) = book.spend_free(hold.customer, rest, now, model)
        parts += found
    book.debts[hold.customer] += rest
    book.paid_by[name] = [*parts, ("", rest)]
    book.lapse(over, now)
    book.net(hold.customer, now)
    book.moved -= wholesale
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
            lot.by_hand += part
            rest -= part
    book.transactions["adjustment"] += 1
    book.sinks["credit_issued"] += amount
    return ("posted", name, amount, book.balance(customer))


def move(book: Book, name: str, amount: int, code: str = "deposit", sink: str = "deposits") -> Outcome:
    """Money into or out of the reseller's wallet; only what is free can leave."""
    free = book.wholesale - book.wholesale_held()
    if -amount > max(free, 0) and amount < 0:
        return ("refused", "wholesale", -amount, free, 0)
    book.moved += amount
    book.transactions[code] += 1
    book.sinks[sink] -= amount
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
