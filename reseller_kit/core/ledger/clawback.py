"""Clawback: what a refund or chargeback takes of a lot, and what its end gives back. Knows no payment provider.

Takes free credit, then what had expired (out of breakage), then the rest as debt; gives back in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..errors import InvalidRequest, LedgerFault, NotFound
from .lots import expire_free, net_debt
from .state import AccountKind, Entry, Lot, Posting, Txn, Wallet


class Clawed(Struct, kw_only=True):
    """What refunds have taken of a lot so far: of its free part, of what had expired, and as debt. Nano-USD."""

    lot_id: str
    free: int = 0
    expired: int = 0
    debt: int = 0

    @property
    def taken(self) -> int:
        """The sum, at most the lot's amount."""
        return self.free + self.expired + self.debt


class Clawback(Struct, frozen=True, kw_only=True):
    """A lot of which refunds are to have taken `target` in all; `new_lot_id` for what can't go back into it.

    `share_id`: the reseller's revenue share, which the cash of what is taken leaves again.
    """

    txn_id: str
    tenant_id: int
    wallet_id: int
    lot_id: str
    target: int
    at: int
    new_lot_id: str
    ref: str = ""
    share_id: int | None = None


def refund_target(credits_nano: int, *, paid: int, refunded: int) -> int:
    """What refunds of `refunded` in all take of a lot: `ceil(credits × refunded / paid)`, at most the whole.

    `paid` and `refunded` are the provider's gross amounts in the smallest unit of one currency. Raises
    InvalidRequest when nothing was paid, for there is nothing to refund, and for a negative refund.
    """
    if paid <= 0:
        raise InvalidRequest(
            "Nothing was paid for this credit, so it can't be refunded.",
            fix="Take it back by hand: reseller-kit credit adjust",
        )
    if refunded < 0:
        raise InvalidRequest("The refunded amount is negative.", fix="Give what was refunded in all, 0 or more.")
    return min(credits_nano, -(-credits_nano * refunded // paid))


def claw_back(request: Clawback, wallet: Wallet, lots: Sequence[Lot], clawed: Clawed) -> Posting:
    """Bring what refunds have taken of a lot to `target`, down or up; nothing if it is there already.

    The same target twice changes nothing, so it can be repeated and arrive in any order as long as the last one is
    right. Never takes more than the grant, less what was taken of it by hand. Raises NotFound for a lot that is not
    the wallet's.
    """
    if request.target < 0:
        raise LedgerFault(f"{request.txn_id}: a clawback is negative")
    lot = find_lot(lots, request.lot_id)
    difference = min(request.target, lot.amount) - clawed.taken
    if difference > 0:
        # `clawed_back` holds what was taken by hand as well: credit that a hold had kept from it may be free by now.
        left = lot.amount - lot.clawed_back - clawed.debt
        return _take(request, wallet, lots, lot, clawed, min(difference, max(0, left)))
    return _give_back(request, wallet, lots, lot, clawed, -difference)


def find_lot(lots: Sequence[Lot], lot_id: str) -> Lot:
    """The lot of this id. Raises NotFound."""
    for lot in lots:
        if lot.id == lot_id:
            return lot
    raise NotFound(f"There is no lot {lot_id[:80]!r}.", fix="See: reseller-kit credit balance")


def _take(request: Clawback, wallet: Wallet, lots: Sequence[Lot], lot: Lot, clawed: Clawed, wanted: int) -> Posting:
    free = min(wanted, lot.remaining - lot.reserved)
    expired = min(wanted - free, lot.expired)
    # What was spent, or is held by calls, is owed once; what was taken by hand is gone and owed by nobody.
    debt = min(wanted - free - expired, max(0, lot.consumed + lot.reserved - clawed.debt))
    lot.remaining -= free
    lot.expired -= expired
    lot.clawed_back += free + expired
    clawed.free += free
    clawed.expired += expired
    clawed.debt += debt
    wallet.balance -= free + debt
    wallet.debt += debt
    txns = _txns(request, wallet, "clawback", customer=-(free + debt), breakage=-expired)
    net_debt(wallet, lots, request.at)
    return Posting(txns=txns, lots=[])


def _give_back(
    request: Clawback, wallet: Wallet, lots: Sequence[Lot], lot: Lot, clawed: Clawed, wanted: int
) -> Posting:
    debt = min(wanted, clawed.debt)
    expired = min(wanted - debt, clawed.expired)
    free = wanted - debt - expired
    lot.clawed_back -= free + expired
    lot.expired += expired
    lot.remaining += free
    clawed.debt -= debt
    clawed.expired -= expired
    clawed.free -= free
    wallet.balance += free + debt
    made = forgive(wallet, debt, lot_id=request.new_lot_id, at=request.at)
    txns = _txns(request, wallet, "restoration", customer=free + debt, breakage=expired)
    lapsed = expire_free(wallet, lot, f"{request.txn_id}_1", request.tenant_id, request.at)
    net_debt(wallet, [*lots, *made], request.at)
    return Posting(txns=txns if lapsed is None else [*txns, lapsed], lots=made)


def forgive(wallet: Wallet, amount: int, *, lot_id: str, at: int) -> list[Lot]:
    """Take `amount` off the wallet's debt; what other credit has repaid meanwhile becomes a lot of its own.

    The caller raises the balance.
    """
    paid_off = min(amount, wallet.debt)
    wallet.debt -= paid_off
    rest = amount - paid_off
    if not rest:
        return []
    return [Lot(id=lot_id, wallet_id=wallet.id, kind="manual", amount=rest, remaining=rest, created_at=at)]


def _txns(request: Clawback, wallet: Wallet, code: str, *, customer: int, breakage: int) -> list[Txn]:
    lines: list[tuple[AccountKind, int | None, int]] = [
        ("customer_wallet", wallet.id, customer),
        ("breakage", None, breakage),
        ("credit_issued", None, -(customer + breakage)),
    ]
    entries = tuple(Entry(*line) for line in lines if line[2])
    if not entries:
        return []
    return [
        Txn(
            id=request.txn_id,
            tenant_id=request.tenant_id,
            code=code,
            ref=request.ref or request.lot_id,
            at=request.at,
            entries=entries,
            wallet_id=wallet.id,
            balance_after=wallet.balance,
        )
    ]
