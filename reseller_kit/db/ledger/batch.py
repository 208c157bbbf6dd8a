"""One group commit, decided: loaded rows and items in, outcomes and rows to write out. Talks to no database.

Both backends drive it the same way: lock and read what `needs` names, hand the rows to `load`, call `decide`, write
what the row lists hold, commit. Items are decided in arrival order on shared state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, KitError, LedgerFault, NotFound
from ...core.ledger import (
    Hold,
    HoldRefused,
    KeyWindow,
    Lot,
    Posting,
    Txn,
    Wallet,
    capture,
    grant,
    move_wholesale,
    place_hold,
    take_back,
    void,
)
from .items import (
    Checkpoint,
    GrantCredit,
    Idempotency,
    Item,
    MoveWholesale,
    Outcome,
    PlaceHold,
    Posted,
    Settle,
    Settled,
    TakeCredit,
)

_encode = msgspec.json.Encoder().encode
_decode_allocations = msgspec.json.Decoder(list[tuple[str, int]]).decode
_decode_posted = msgspec.json.Decoder(Posted).decode

Row = Sequence[Any]
WindowKey = tuple[str, int]


class Needs(Struct, frozen=True):
    """What a batch must lock and read, each list sorted so that lock order is the same everywhere."""

    wallets: list[int]
    windows: list[WindowKey]
    holds: list[str]
    operations: list[tuple[int, str, str]]


class Loaded(Struct, frozen=True):
    """Rows as the backends read them; columns as in `columns.py`."""

    accounts: Iterable[Row]
    lots: Iterable[Row]
    windows: Iterable[Row]
    holds: Iterable[Row]
    operations: Iterable[Row]


class Batch:
    """Items that share one transaction. After `decide`, `outcomes` has one answer or exception an item."""

    def __init__(self, items: Sequence[Item], *, owner: str, epoch: int, now: int) -> None:
        self.items = items
        self.outcomes: list[Outcome | Exception] = []
        self.hold_inserts: list[Row] = []
        self.hold_updates: list[Row] = []
        self.checkpoints: list[Row] = []
        self.lot_inserts: list[Row] = []
        self.txns: list[Txn] = []
        self.usage: list[Row] = []
        self.operations: list[Row] = []
        self.owner, self.epoch, self._now = owner, epoch, now
        self._wallets: dict[int, Wallet] = {}
        self._lots: dict[int, list[Lot]] = {}
        self._windows: dict[WindowKey, KeyWindow] = {}
        self._holds: dict[str, tuple[Hold, str, int]] = {}
        self._known: dict[tuple[int, str, str], tuple[str, bytes]] = {}
        self._before_wallets: dict[int, tuple[int, int, int]] = {}
        self._before_lots: dict[str, tuple[int, int]] = {}
        self._before_windows: dict[WindowKey, tuple[int, int]] = {}

    def needs(self) -> Needs:
        """What to lock and read for these items."""
        wallets: set[int] = set()
        windows: set[WindowKey] = set()
        holds: list[str] = []
        operations: set[tuple[int, str, str]] = set()
        for item in self.items:
            if isinstance(item, PlaceHold):
                request = item.request
                wallets.add(request.wallet_id)
                wallets.add(request.reseller_wallet_id)
                if request.key_limit is not None:
                    windows.add((request.key_id, request.window_started_at))
            elif isinstance(item, Settle):
                wallets.add(item.wallet_id)
                wallets.add(item.reseller_wallet_id)
                holds.append(item.capture.request_id)
                if item.window is not None:
                    windows.add(item.window)
            elif not isinstance(item, Checkpoint):
                body = _body(item)
                wallets.add(body.wallet_id)
                if item.once is not None:
                    operations.add((body.tenant_id, item.once.operation, item.once.key))
        return Needs(sorted(wallets), sorted(windows), sorted(holds), sorted(operations))

    def load(self, rows: Loaded) -> None:
        """Take over the rows that were read under the locks."""
        for wallet_id, tenant_id, balance, reserved, debt in rows.accounts:
            self._wallets[wallet_id] = Wallet(
                id=wallet_id, tenant_id=tenant_id, balance=balance, reserved=reserved, debt=debt
            )
            self._before_wallets[wallet_id] = (balance, reserved, debt)
        for row in rows.lots:
            lot = _lot(row)
            self._lots.setdefault(lot.wallet_id, []).append(lot)
            self._before_lots[lot.id] = (lot.remaining, lot.reserved)
        for key_id, started_at, spent, reserved in rows.windows:
            key = (key_id, started_at)
            self._windows[key] = KeyWindow(
                key_id=key_id, started_at=started_at, limit=None, spent=spent, reserved=reserved
            )
            self._before_windows[key] = (spent, reserved)
        for row in rows.holds:
            self._holds[row[0]] = (_hold(row), row[14], row[15])
        for tenant_id, operation, key, request_hash, outcome in rows.operations:
            self._known[tenant_id, operation, key] = (request_hash, outcome)

    def decide(self) -> None:
        """Decide every item. A KitError is that item's outcome; any other exception is the batch's failure."""
        for item in self.items:
            try:
                outcome: Outcome | Exception = self._decide(item)
            except KitError as error:
                outcome = error
            self.outcomes.append(outcome)

    def account_updates(self) -> list[Row]:
        """(balance, reserved, debt, id, tenant_id) of each wallet that changed."""
        before = self._before_wallets
        return [
            (w.balance, w.reserved, w.debt, w.id, w.tenant_id)
            for w in self._wallets.values()
            if before[w.id] != (w.balance, w.reserved, w.debt)
        ]

    def lot_updates(self) -> list[Row]:
        """(remaining, reserved, consumed, expired, clawed_back, id, wallet_id) of each lot that changed."""
        before = self._before_lots
        return [
            (lot.remaining, lot.reserved, lot.consumed, lot.expired, lot.clawed_back, lot.id, lot.wallet_id)
            for lots in self._lots.values()
            for lot in lots
            if lot.id in before and before[lot.id] != (lot.remaining, lot.reserved)
        ]

    def window_upserts(self) -> list[Row]:
        """(key_id, started_at, tenant_id, spent, reserved) of each key window that is new or changed."""
        before = self._before_windows
        tenants = {item.request.key_id: item.request.tenant_id for item in self.items if isinstance(item, PlaceHold)}
        tenants |= {item.usage.key_id: item.usage.tenant_id for item in self.items if isinstance(item, Settle)}
        return [
            (w.key_id, w.started_at, tenants[w.key_id], w.spent, w.reserved)
            for key, w in self._windows.items()
            if before.get(key) != (w.spent, w.reserved)
        ]

    def txn_rows(self) -> list[Row]:
        """(id, tenant_id, wallet_id, code, ref, balance_after, reverses, created_at)."""
        return [
            (x.id, x.tenant_id, x.wallet_id, x.code, x.ref, x.balance_after, x.reverses, x.at) for x in self.txns
        ]

    def entry_rows(self, sinks: Mapping[tuple[int, str], int]) -> list[Row]:
        """(txn_id, line, tenant_id, account_id, amount); `sinks` finds the accounts that are no wallets."""
        rows: list[Row] = []
        for txn in self.txns:
            for line, entry in enumerate(txn.entries):
                account_id = entry.wallet_id if entry.wallet_id is not None else sinks[txn.tenant_id, entry.account]
                rows.append((txn.id, line, txn.tenant_id, account_id, entry.amount))
        return rows

    def sink_tenants(self) -> set[int]:
        """The tenants whose sink accounts `entry_rows` will ask for."""
        return {txn.tenant_id for txn in self.txns}

    def _decide(self, item: Item) -> Outcome:
        if isinstance(item, PlaceHold):
            return self._place(item)
        if isinstance(item, Settle):
            return self._settle(item)
        if isinstance(item, Checkpoint):
            self.checkpoints.append((item.checkpoint, item.request_id))
            return None
        return self._post_once(item)

    def _place(self, item: PlaceHold) -> Hold | HoldRefused:
        request = item.request
        window = None
        if request.key_limit is not None:
            window = self._window((request.key_id, request.window_started_at))
            window.limit = request.key_limit
        wallet, reseller = self._wallet(request.wallet_id), self._wallet(request.reseller_wallet_id)
        hold = place_hold(request, wallet, self._lots.get(wallet.id, []), reseller, window)
        if isinstance(hold, Hold):
            self.hold_inserts.append(_hold_row(hold, self.owner, self.epoch, item.call))
        return hold

    def _settle(self, item: Settle) -> Settled:
        charge = item.capture
        found = self._holds.get(charge.request_id)
        if found is None:
            raise LedgerFault(f"{charge.request_id}: there is no hold")
        hold, owner, epoch = found
        if hold.state != "open":
            return Settled(hold.state, repeated=True)
        if (item.owner or self.owner, item.epoch or self.epoch) != (owner, epoch):
            raise LedgerFault(f"{charge.request_id}: the hold belongs to another process")
        wallet, reseller = self._wallet(item.wallet_id), self._wallet(item.reseller_wallet_id)
        lots = self._lots.get(wallet.id, [])
        window = None if item.window is None else self._window(item.window)
        if charge.retail or charge.wholesale or charge.cost:
            posting = capture(charge, hold, wallet, lots, reseller, window)
        else:
            posting = void(hold, wallet, lots, reseller, window, at=charge.at, state=item.final_state)
        self._post(posting)
        self.hold_updates.append((hold.state, hold.resolved_at, hold.request_id, hold.tenant_id))
        self.usage.append(msgspec.structs.astuple(item.usage))
        return Settled(hold.state)

    def _post_once(self, item: GrantCredit | TakeCredit | MoveWholesale) -> Outcome:
        body = _body(item)
        once = item.once
        if once is not None:
            known = self._known.get((body.tenant_id, once.operation, once.key))
            if known is not None:
                return _replay(once, *known)
        outcome = self._apply(item)
        if once is not None and isinstance(outcome, Posted):
            stored = _encode(outcome)
            self._known[body.tenant_id, once.operation, once.key] = (once.request_hash, stored)
            self.operations.append(
                (body.tenant_id, once.operation, once.key, once.request_hash, stored.decode(), self._now)
            )
        return outcome

    def _apply(self, item: GrantCredit | TakeCredit | MoveWholesale) -> Posted | HoldRefused:
        body = _body(item)
        wallet = self._wallet(body.wallet_id)
        if isinstance(item, GrantCredit):
            posting: Posting | HoldRefused = grant(item.grant, wallet)
            shown = item.grant.lot_id
        elif isinstance(item, TakeCredit):
            posting = take_back(item.take, wallet, self._lots.get(wallet.id, []))
            shown = item.take.txn_id
        else:
            posting = move_wholesale(item.move, wallet)
            shown = item.move.txn_id
        if isinstance(posting, HoldRefused):
            return posting
        self._post(posting)
        return Posted(shown, body.amount, wallet.balance)

    def _post(self, posting: Posting) -> None:
        self.txns += posting.txns
        for lot in posting.lots:
            self._lots.setdefault(lot.wallet_id, []).append(lot)
            self.lot_inserts.append(_lot_row(lot, self._wallets[lot.wallet_id].tenant_id))

    def _wallet(self, wallet_id: int) -> Wallet:
        wallet = self._wallets.get(wallet_id)
        if wallet is None:
            raise NotFound(f"There is no wallet {wallet_id}.")
        return wallet

    def _window(self, key: WindowKey) -> KeyWindow:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = KeyWindow(key_id=key[0], started_at=key[1], limit=None)
        return window


def _body(item: GrantCredit | TakeCredit | MoveWholesale) -> Any:
    if isinstance(item, GrantCredit):
        return item.grant
    return item.take if isinstance(item, TakeCredit) else item.move


def _replay(once: Idempotency, request_hash: str, outcome: bytes | str) -> Posted:
    if request_hash != once.request_hash:
        raise Conflict(
            f"The idempotency key {once.key!r} was used with other arguments.",
            fix="Use a new key for a new operation, or repeat the first one word for word.",
        )
    return _decode_posted(outcome)


def _lot(row: Row) -> Lot:
    models = row[11]
    return Lot(
        id=row[0],
        wallet_id=row[1],
        kind=row[2],
        amount=row[3],
        remaining=row[4],
        reserved=row[5],
        consumed=row[6],
        expired=row[7],
        clawed_back=row[8],
        priority=row[9],
        expires_at=row[10],
        models=() if models == "[]" else tuple(msgspec.json.decode(models)),
        created_at=row[12],
    )


def _lot_row(lot: Lot, tenant_id: int) -> Row:
    return (
        lot.id,
        tenant_id,
        lot.wallet_id,
        lot.kind,
        lot.amount,
        lot.remaining,
        lot.reserved,
        lot.consumed,
        lot.expired,
        lot.clawed_back,
        lot.priority,
        _encode(lot.models).decode(),
        lot.expires_at,
        lot.created_at,
    )


def _hold(row: Row) -> Hold:
    return Hold(
        request_id=row[0],
        tenant_id=row[1],
        state=row[2],
        customer_id=row[3],
        wallet_id=row[4],
        reseller_wallet_id=row[5],
        key_id=row[6],
        window_started_at=row[7],
        model=row[8],
        retail_version="",
        wholesale_version="",
        output_limit=row[9],
        retail=row[10],
        wholesale=row[11],
        allocations=_decode_allocations(row[12]),
        created_at=row[13],
    )


def _hold_row(hold: Hold, owner: str, epoch: int, call: str) -> Row:
    return (
        hold.request_id,
        hold.tenant_id,
        hold.state,
        hold.customer_id,
        hold.wallet_id,
        hold.reseller_wallet_id,
        hold.key_id,
        hold.window_started_at,
        hold.model,
        hold.retail_version,
        hold.wholesale_version,
        hold.output_limit,
        hold.retail,
        hold.wholesale,
        _encode(hold.allocations).decode(),
        owner,
        epoch,
        call,
        hold.created_at,
    )
