"""What the second ledger does where credit comes by a code, or goes back. Imports nothing of the product."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.proof.model import NOBODY, Book, Hold, Lot, Outcome
from tests.support.proof.operations import FAULT, give, move

UNKNOWN: Outcome = ("error", "NotFound")
TOO_LATE: Outcome = ("error", "Conflict")
DAY = 24 * 60 * 60 * 1_000_000


def accruing(book: Book, customer: str, work: Callable[[], Outcome]) -> Outcome:
    """What credit is used up brings its cash along, as a transaction of its own."""
    before = _accrued(book, customer)
    outcome = work()
    if _accrued(book, customer) != before:
        book.transactions["accrual"] += 1
    return outcome


def redeem(book: Book, name: str, customer: str, lot: str, *, now: int) -> Outcome:
    """A code is worth its credit once for each customer, and so often in all."""
    voucher = book.vouchers.get(name)
    if voucher is not None and book.redeemed.get((name, customer)) == lot:
        return ("posted", lot, voucher.worth, book.balance(customer))
    if voucher is None or voucher.revoked or (voucher.ends is not None and voucher.ends <= now):
        return UNKNOWN
    winners = [who for which, who in book.redeemed if which == name]
    if customer in winners or len(winners) >= voucher.times:
        return TOO_LATE
    book.redeemed[name, customer] = lot
    ends = None if voucher.days is None else now + voucher.days * DAY
    made = Lot(lot, customer, "voucher", voucher.worth, priority=0, ends=ends, scopes=voucher.scopes, born=now)
    return give(book, made, now=now)


def reverse(book: Book, call: str, name: str, customer: str, amount: int, lot: str, *, now: int) -> Outcome:
    """A charge goes back to where it came from, last consumed first, once."""
    earlier = book.reversed.get(call)
    if earlier is not None:
        return ("posted", name, amount, book.balance(customer)) if earlier == name else TOO_LATE
    book.reversed[call] = name
    retail, wholesale, _ = book.charges[call]
    rest, owed, back = amount, 0, []
    for source, paid in reversed(book.paid_by[call]):
        part = min(rest, paid)
        rest -= part
        if source:
            book.lots[source].spent -= part
            back += [book.lots[source]] if part else []
        else:
            owed += part
    _forgive(book, customer, owed, lot, now)
    book.transactions["reversal"] += 1
    book.sinks["reseller_revenue"] -= amount
    book.sinks["wholesale_revenue"] -= wholesale * amount // retail
    book.moved += wholesale * amount // retail
    book.lapse(back, now)
    book.net(customer, now)
    return ("posted", name, amount, book.balance(customer))


def claw(book: Book, lot_name: str, customer: str, name: str, target: int, new_lot: str, *, now: int) -> Outcome:
    """Refunds come to `target` of a lot in all: more is taken, or some is given back."""
    lot = book.lots[lot_name]
    if lot.customer != customer:
        return UNKNOWN
    returned = lot.cash_of(lot.owed)
    before = lot.refunded
    if min(target, lot.given) > before:
        _take(book, lot, min(target, lot.given) - before)
    else:
        _give_back(book, lot, before - min(target, lot.given), new_lot, now)
    book.net(customer, now)
    if lot.cash_of(lot.owed) != returned:
        book.transactions["accrual_return"] += 1
    return ("posted", name, before - lot.refunded, book.balance(customer))


def keep_aside(book: Book, name: str, customer: str, lot_name: str, amount: int, *, now: int) -> Outcome:
    """A refund is asked for: calls can't spend what it would take."""
    known = book.holds.get(name)
    if known is not None:
        return ("posted", name, known.retail, book.balance(customer))
    lot = book.lots[lot_name]
    if lot.customer != customer:
        return UNKNOWN
    part = 0 if lot.has_ended(now) else min(amount, book.free(lot))
    book.holds[name] = Hold(name, customer, NOBODY, "", None, 0, part, 0, [(lot_name, part)])
    return ("posted", name, part, book.balance(customer))


def answer(book: Book, refund: str, customer: str, name: str, target: int | None, lot: str, *, now: int) -> Outcome:
    """The refund went through and comes to `target` in all, or it was refused; once."""
    hold = book.holds.get(refund)
    if hold is None or hold.customer != customer:
        return UNKNOWN
    state = "voided" if target is None else "captured"
    if hold.state != "open":
        return ("posted", name, 0, book.balance(customer)) if hold.state == state else TOO_LATE
    hold.state = state
    moved = 0
    ((lot_name, _),) = hold.parts
    if target is not None:
        moved = claw(book, lot_name, customer, name, target, lot, now=now)[2]
    book.lapse([book.lots[lot_name]], now)
    book.net(customer, now)
    return ("posted", name, moved, book.balance(customer))


def pay_out(book: Book, payout: str, name: str, amount: int) -> Outcome:
    """An approved payout leaves the share, once."""
    if book.payouts[payout] != "requested" and amount <= book.wholesale - book.wholesale_held():
        return FAULT
    outcome = move(book, name, -amount, "payout", "payouts")
    if outcome[0] == "posted":
        book.payouts[payout] = "approved"
    return outcome


def _accrued(book: Book, customer: str) -> int:
    return sum(lot.accrued for lot in book.lots_of(customer))


def _forgive(book: Book, customer: str, amount: int, new_lot: str, now: int) -> None:
    """What was owed is owed no longer; what other credit has repaid of it is a new lot."""
    less = min(amount, book.debts[customer])
    book.debts[customer] -= less
    if amount > less:
        rest = amount - less
        book.lots[new_lot] = Lot(new_lot, customer, "manual", rest, priority=0, ends=None, scopes=(), born=now)


def _take(book: Book, lot: Lot, wanted: int) -> None:
    """Free credit, then what had expired, then debt; what was taken by hand is gone."""
    wanted = min(wanted, max(0, lot.given - lot.by_hand - lot.refunded))
    free = min(wanted, book.free(lot))
    lapsed = min(wanted - free, lot.lapsed)
    owed = wanted - free - lapsed
    lot.lapsed -= lapsed
    lot.refunded_free += free
    lot.refunded_lapsed += lapsed
    lot.owed += owed
    book.debts[lot.customer] += owed
    if wanted:
        book.transactions["clawback"] += 1
        book.sinks["breakage"] -= lapsed
        book.sinks["credit_issued"] += wanted


def _give_back(book: Book, lot: Lot, wanted: int, new_lot: str, now: int) -> None:
    """Debt, then what had expired, then free credit."""
    owed = min(wanted, lot.owed)
    lapsed = min(wanted - owed, lot.refunded_lapsed)
    free = wanted - owed - lapsed
    lot.owed -= owed
    lot.refunded_lapsed -= lapsed
    lot.lapsed += lapsed
    lot.refunded_free -= free
    _forgive(book, lot.customer, owed, new_lot, now)
    if wanted:
        book.transactions["restoration"] += 1
        book.sinks["breakage"] += lapsed
        book.sinks["credit_issued"] -= wanted
    book.lapse([lot], now)
