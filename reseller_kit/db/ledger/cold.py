"""Items that no call waits for: vouchers, reversals, clawbacks, refund holds. Decides them on the batch's state.

What they need beside wallets and lots (vouchers, lots that are used up, earlier clawbacks) is read and written by
statements of their own, which a batch of calls never runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, LedgerFault, NotFound
from ...core.ledger import (
    CallReversal,
    Clawback,
    Clawed,
    Hold,
    Lot,
    Posting,
    Redemption,
    RefundRequest,
    Txn,
    Voucher,
    Wallet,
    accrual,
    claw_back,
    consume_refund,
    hold_refund,
    redeem,
    release_refund,
    return_cash,
    reverse_call,
)
from .rows import Row


class RedeemVoucher(Struct, frozen=True, eq=False):
    """Grant a voucher's credit to a customer, once."""

    request: Redemption


class ReverseCall(Struct, frozen=True, eq=False):
    """Give back the charge of a call or a part of it, once."""

    request: CallReversal


class ClawBack(Struct, frozen=True, eq=False):
    """Bring what refunds have taken of a lot to a target."""

    request: Clawback


class HoldRefund(Struct, frozen=True, eq=False):
    """Keep credit aside for a refund that is being asked for."""

    request: RefundRequest


class ResolveRefund(Struct, frozen=True, eq=False):
    """The provider's answer: claw back under the hold if it `went_through`, else set the credit free."""

    refund_id: str
    request: Clawback
    went_through: bool


ColdItem: TypeAlias = RedeemVoucher | ReverseCall | ClawBack | HoldRefund | ResolveRefund


class ColdNeeds(Struct, frozen=True):
    """What to read: lots whatever is left of them, vouchers (locked), redemptions, reversals of transactions."""

    lots: list[str]
    vouchers: list[str]
    redemptions: list[tuple[str, str]]
    reversed: list[str]


class ColdRows(Struct, frozen=True):
    """The rows that `ColdNeeds` names: lots, clawbacks and vouchers as `columns` has them, keys of the others."""

    lots: Iterable[Row]
    clawbacks: Iterable[Row]
    vouchers: Iterable[Row]
    redemptions: Iterable[Row]
    reversals: Iterable[Row]


class Decided(Struct, frozen=True):
    """What an item came to: the amount that moved, what to post, and the hold that it made or resolved."""

    id: str
    amount: int
    posting: Posting
    placed: Hold | None = None
    resolved: Hold | None = None


_NOTHING = Posting(txns=[], lots=[])


class Cold:
    """The state of a batch's cold items and what is to be written for them."""

    def __init__(self) -> None:
        self.overages: list[Row] = []
        self.redemptions: list[Row] = []
        self._vouchers: dict[str, Voucher] = {}
        self._used: set[str] = set()
        self._redeemed: dict[tuple[str, str], str] = {}
        self._clawed: dict[str, Clawed] = {}
        self._touched: dict[str, int] = {}
        self._reversals: dict[str, str] = {}

    def load(self, rows: ColdRows) -> None:
        """Take over what was read under the locks; the lots are the batch's to take."""
        for row in rows.clawbacks:
            self._clawed[row[0]] = Clawed(lot_id=row[0], free=row[1], expired=row[2], debt=row[3])
        for row in rows.vouchers:
            self._vouchers[row[0]] = _voucher_of(row)
        self._redeemed.update({(row[0], row[1]): row[2] for row in rows.redemptions})
        self._reversals.update({row[0]: row[1] for row in rows.reversals})

    def voucher_updates(self) -> list[Row]:
        """(redeemed, id, tenant_id) of each voucher that was redeemed."""
        return [(v.redeemed, v.id, v.tenant_id) for v in self._vouchers.values() if v.id in self._used]

    def clawback_upserts(self) -> list[Row]:
        """(lot_id, tenant_id, free, expired, debt) of each lot that a refund touched."""
        clawed = self._clawed
        return [
            (lot_id, tenant_id, clawed[lot_id].free, clawed[lot_id].expired, clawed[lot_id].debt)
            for lot_id, tenant_id in self._touched.items()
        ]

    def note_overage(self, hold: Hold, parts: Sequence[tuple[str, int]]) -> None:
        """Keep what a charge took beside its hold."""
        self.overages.append((hold.request_id, hold.tenant_id, msgspec.json.encode(parts).decode()))

    def decide(
        self,
        item: ColdItem,
        wallet: Wallet,
        lots: Sequence[Lot],
        wallets: Mapping[int, Wallet],
        holds: Mapping[str, Hold],
    ) -> Decided:
        """Decide one item. An item that was carried out before moves nothing."""
        if isinstance(item, RedeemVoucher):
            return self._redeem(item.request, wallet)
        if isinstance(item, ReverseCall):
            return self._reverse(item.request, wallet, lots, wallets)
        if isinstance(item, HoldRefund):
            return _hold(item.request, wallet, lots, holds)
        if isinstance(item, ResolveRefund):
            return self._resolve(item, wallet, lots, wallets, holds)
        return self._claw(item.request, wallet, lots, wallets)

    def _redeem(self, request: Redemption, wallet: Wallet) -> Decided:
        pair = (request.voucher_id, request.customer_id)
        voucher = self._vouchers.get(request.voucher_id)
        if voucher is not None and self._redeemed.get(pair) == request.lot_id:
            return Decided(request.lot_id, voucher.amount, _NOTHING)
        posting = redeem(request, voucher, wallet, repeated=pair in self._redeemed)
        self._redeemed[pair] = request.lot_id
        self._used.add(request.voucher_id)
        self.redemptions.append((*pair, request.tenant_id, request.lot_id, request.at))
        return Decided(request.lot_id, posting.lots[0].amount, posting)

    def _reverse(
        self, request: CallReversal, wallet: Wallet, lots: Sequence[Lot], wallets: Mapping[int, Wallet]
    ) -> Decided:
        earlier = self._reversals.get(request.reverses)
        if earlier == request.txn_id:
            return Decided(request.txn_id, request.amount, _NOTHING)
        if earlier is not None:
            raise Conflict(
                f"The charge of {request.request_id} was reversed already ({earlier}).",
                fix="A charge is reversed once; for more use: reseller-kit credit adjust",
            )
        posting = reverse_call(request, wallet, lots, wallets)
        posting.txns += _accrued_back(request, lots, wallets)
        self._reversals[request.reverses] = request.txn_id
        return Decided(request.txn_id, request.amount, posting)

    def _claw(self, request: Clawback, wallet: Wallet, lots: Sequence[Lot], wallets: Mapping[int, Wallet]) -> Decided:
        clawed, share = self._clawed_of(request.lot_id), _share_of(request, wallets)
        before, owed = clawed.taken, clawed.debt
        posting = claw_back(request, wallet, lots, clawed)
        posting.txns += _cash_back(request, share, lots, owed, clawed.debt)
        self._keep(clawed, request.tenant_id)
        return Decided(request.txn_id, before - clawed.taken, posting)

    def _resolve(
        self,
        item: ResolveRefund,
        wallet: Wallet,
        lots: Sequence[Lot],
        wallets: Mapping[int, Wallet],
        holds: Mapping[str, Hold],
    ) -> Decided:
        hold, request = holds.get(item.refund_id), item.request
        share = _share_of(request, wallets)
        if hold is None or hold.key_id or (hold.wallet_id, hold.tenant_id) != (wallet.id, request.tenant_id):
            raise NotFound(f"There is no pending refund {item.refund_id[:80]!r}.")
        if hold.state != "open":
            if (hold.state == "captured") != item.went_through:
                raise Conflict(f"The refund {item.refund_id} was answered otherwise before.")
            return Decided(request.txn_id, 0, _NOTHING)
        if not item.went_through:
            posting = release_refund(hold, wallet, lots, at=request.at)
            posting.txns += _cash_back(request, share, lots, 0, 0)
            return Decided(request.txn_id, 0, posting, resolved=hold)
        clawed = self._clawed_of(request.lot_id)
        before, owed = clawed.taken, clawed.debt
        posting = consume_refund(hold, request, wallet, lots, clawed)
        posting.txns += _cash_back(request, share, lots, owed, clawed.debt)
        self._keep(clawed, request.tenant_id)
        return Decided(request.txn_id, before - clawed.taken, posting, resolved=hold)

    def _clawed_of(self, lot_id: str) -> Clawed:
        return self._clawed.get(lot_id) or Clawed(lot_id=lot_id)

    def _keep(self, clawed: Clawed, tenant_id: int) -> None:
        self._clawed[clawed.lot_id] = clawed
        self._touched[clawed.lot_id] = tenant_id


def cold_needs(items: Iterable[Any]) -> ColdNeeds | None:
    """What the cold items among these need; None when there are none."""
    lots: set[str] = set()
    vouchers: set[str] = set()
    redemptions: set[tuple[str, str]] = set()
    reversals: set[str] = set()
    for item in items:
        if isinstance(item, RedeemVoucher):
            vouchers.add(item.request.voucher_id)
            redemptions.add((item.request.voucher_id, item.request.customer_id))
        elif isinstance(item, ReverseCall):
            lots.update(lot_id for lot_id, _ in item.request.parts if lot_id)
            reversals.add(item.request.reverses)
        elif isinstance(item, ClawBack | HoldRefund | ResolveRefund):
            lots.add(item.request.lot_id)
    if not (lots or vouchers or reversals):
        return None
    return ColdNeeds(sorted(lots), sorted(vouchers), sorted(redemptions), sorted(reversals))


def cold_wallets(item: ColdItem) -> set[int]:
    """The wallets to lock for an item."""
    wallets = {item.request.wallet_id}
    if isinstance(item, ReverseCall):
        wallets |= {entry.wallet_id for entry in item.request.entries if entry.wallet_id is not None}
    elif isinstance(item, ClawBack | ResolveRefund) and item.request.share_id is not None:
        wallets.add(item.request.share_id)
    return wallets


def cold_holds(item: ColdItem) -> list[str]:
    """The holds to read for an item."""
    if isinstance(item, HoldRefund):
        return [item.request.refund_id]
    return [item.refund_id] if isinstance(item, ResolveRefund) else []


def _share_of(request: Clawback, wallets: Mapping[int, Wallet]) -> Wallet | None:
    """The revenue share that the request names. Raises LedgerFault for an account that is none of the tenant's."""
    if request.share_id is None:
        return None
    share = wallets.get(request.share_id)
    if share is None or share.tenant_id != request.tenant_id or not share.accrues:
        raise LedgerFault(f"account {request.share_id} is no revenue share of the tenant")
    return share


def _cash_back(
    request: Clawback, share: Wallet | None, lots: Sequence[Lot], owed_before: int, owed_after: int
) -> list[Txn]:
    """The cash of what a refund took leaves the reseller's share, or returns."""
    if share is None:
        return []
    lot = next(lot for lot in lots if lot.id == request.lot_id)
    return return_cash(
        share,
        lots,
        lot,
        owed_before=owed_before,
        owed_after=owed_after,
        txn_id=request.txn_id,
        ref=request.ref or request.lot_id,
        at=request.at,
    )


def _accrued_back(request: CallReversal, lots: Sequence[Lot], wallets: Mapping[int, Wallet]) -> list[Txn]:
    """What lots got back of a call under revenue share takes its cash along; otherwise that is left to the sweep."""
    shares = [entry.wallet_id for entry in request.entries if entry.account == "reseller_accrual"]
    if not shares or shares[0] is None:
        return []
    return accrual(wallets[shares[0]], lots, txn_id=f"{request.txn_id}_a", ref=request.request_id, at=request.at)


def _hold(request: RefundRequest, wallet: Wallet, lots: Sequence[Lot], holds: Mapping[str, Hold]) -> Decided:
    known = holds.get(request.refund_id)
    if known is not None:
        if known.wallet_id != wallet.id or [lot_id for lot_id, _ in known.allocations] != [request.lot_id]:
            raise LedgerFault(f"{request.refund_id}: there is another hold of this id")
        return Decided(request.refund_id, known.retail, _NOTHING)
    placed = hold_refund(request, wallet, lots)
    return Decided(request.refund_id, placed.retail, _NOTHING, placed=placed)


def _voucher_of(row: Row) -> Voucher:
    return Voucher(
        id=row[0],
        tenant_id=row[1],
        amount=row[2],
        models=tuple(msgspec.json.decode(row[3])),
        valid_days=row[4],
        expires_at=row[5],
        max_redemptions=row[6],
        redeemed=row[7],
        revoked_at=row[8],
    )
