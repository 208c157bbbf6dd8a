"""The rows that a batch works on, as values: what was read or remembered, and what is to be written of it.

Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from ...core.errors import LedgerFault, NotFound
from ...core.ledger import Hold, KeyWindow, Lot, Wallet
from .cold import ColdRows
from .memory import Memory, Owner, Version
from .needs import WindowKey
from .rows import Row, hold_of, lot_of, lot_row


class Loaded(Struct, frozen=True):
    """Rows as the backends read them; columns as in `columns.py`."""

    accounts: Iterable[Row]
    lots: Iterable[Row]
    windows: Iterable[Row]
    holds: Iterable[Row]
    operations: Iterable[Row]
    txns: Iterable[Row]
    named_lots: Iterable[Row] = ()
    cold: ColdRows | None = None


class State:
    """Wallets, lots, key windows and holds of one batch, as it has changed them so far."""

    def __init__(self) -> None:
        self.wallets: dict[int, Wallet] = {}
        self.lots: dict[int, list[Lot]] = {}
        self.windows: dict[WindowKey, KeyWindow] = {}
        self.holds: dict[str, tuple[Hold, str, int]] = {}
        self._new_lots: list[Lot] = []
        self._changed_wallets: list[Wallet] | None = None
        self._changed_lots: list[Lot] | None = None
        self._changed_windows: list[KeyWindow] | None = None
        self.versions: dict[int, Version] = {}
        self.window_versions: dict[WindowKey, int] = {}
        self.before_wallets: dict[int, tuple[int, int, int]] = {}
        """(balance, reserved, debt) as the database has it; lots in the order of `columns.LOT_CHANGED`."""
        self.before_lots: dict[str, tuple[int, int, int, int, int, int]] = {}
        self.before_windows: dict[WindowKey, tuple[int, int]] = {}
        self._days: dict[str, tuple[Lot, int, int]] = {}
        """Lots with a daily allowance, each with what the database has of its day; most batches have none."""
        self._days_unread: list[str] = []

    def load(self, rows: Loaded) -> None:
        """Take over the rows that were read under the locks."""
        for wallet_id, tenant_id, kind, balance, reserved, debt, *_ in rows.accounts:
            self._take_wallet(
                Wallet(
                    id=wallet_id,
                    tenant_id=tenant_id,
                    balance=balance,
                    reserved=reserved,
                    debt=debt,
                    accrues=kind == "reseller_accrual",
                )
            )
        for row in rows.lots:
            self._read_lot(row)
        for key_id, started_at, spent, reserved, *version in rows.windows:
            key = (key_id, started_at)
            self.windows[key] = KeyWindow(
                key_id=key_id, started_at=started_at, limit=None, spent=spent, reserved=reserved
            )
            self.before_windows[key] = (spent, reserved)
            if version:
                (self.window_versions[key],) = version
        for row in rows.holds:
            self.holds[row[0]] = (hold_of(row), row[14], row[15])
        self.load_named(rows.named_lots)

    def load_named(self, rows: Iterable[Row]) -> None:
        """Lots that were read by their ids; those of the wallets may be among them."""
        for row in rows:
            if row[0] not in self.before_lots:
                self._read_lot(row)

    def days_to_read(self) -> list[str]:
        """The lots just read whose allowances are used by days; none where no lot has one."""
        unread, self._days_unread = self._days_unread, []
        return unread

    def load_days(self, rows: Iterable[Row]) -> None:
        """Take over (lot_id, day, used) of `days_to_read`."""
        for lot_id, day, used in rows:
            lot, _, _ = self._days[lot_id]
            lot.day, lot.used = day, used
            self._days[lot_id] = (lot, day, used)

    def recall_holds(self, memory: Memory, request_ids: Iterable[str], owner: Owner) -> list[str]:
        """Take over the holds that are remembered; the others."""
        memory.begin(owner)
        unknown = []
        for request_id in request_ids:
            hold = memory.hold(request_id)
            if hold is None:
                unknown.append(request_id)
            else:
                self.holds[request_id] = (hold, *owner)
        return unknown

    def recall_wallets(self, memory: Memory, versions: Mapping[int, Version]) -> list[int]:
        """Take over the wallets that are remembered as of these versions, with their lots; the others."""
        self.versions = dict(versions)
        found, unknown = memory.wallets(versions)
        for wallet, lots, _ in found:
            self.lots[wallet.id] = lots
            self._take_wallet(wallet)
            for lot in lots:
                self._note_lot(lot)
        return unknown

    def recall_windows(self, memory: Memory, keys: Iterable[WindowKey]) -> None:
        """Take over key windows, all of which are remembered."""
        for key in keys:
            window, self.window_versions[key] = memory.window(key)
            self.windows[key] = window
            self.before_windows[key] = (window.spent, window.reserved)

    def keep_windows(self, memory: Memory, written: int) -> None:
        """Let key windows be remembered, once they are committed. `written`: the version of those that changed."""
        versions = self.window_versions | {(w.key_id, w.started_at): written for w in self.changed_windows()}
        for key, version in versions.items():
            memory.keep_window(self.windows[key], version)

    def keep_holds(self, memory: Memory, owner: Owner) -> None:
        """Let what is open be remembered, once it is committed."""
        for hold, name, epoch in self.holds.values():
            if hold.state == "open" and name and (name, epoch) == owner:
                memory.keep_hold(hold)

    def keep_wallets(self, memory: Memory, written: int | None) -> None:
        """Let wallets be remembered, once they are committed. `written`: the version of what was written, if new."""
        accounts = set() if written is None else {wallet.id for wallet in self.changed_wallets()}
        moved = set() if written is None else self._moved()
        kept = {}
        for wallet_id, known in self.versions.items():
            wallet = self.wallets.get(wallet_id)
            if wallet is None:
                continue
            version = known
            if written is not None:
                account, newest = known
                version = (written if wallet_id in accounts else account, written if wallet_id in moved else newest)
            kept[wallet_id] = (wallet, [lot for lot in self.lots.get(wallet_id, ()) if lot.remaining], version)
        memory.keep_wallets(kept)

    def add_lots(self, lots: Iterable[Lot]) -> None:
        """Lots that a decision made."""
        for lot in lots:
            self.lots.setdefault(lot.wallet_id, []).append(lot)
            self._new_lots.append(lot)
            if lot.daily is not None:
                self._days[lot.id] = (lot, lot.day, lot.used)

    def wallet(self, wallet_id: int, tenant_id: int) -> Wallet:
        """A wallet of this tenant. Raises NotFound."""
        wallet = self.wallets.get(wallet_id)
        if wallet is None or wallet.tenant_id != tenant_id:
            raise NotFound(f"There is no wallet {wallet_id}.")
        return wallet

    def share(self, wallet_id: int, tenant_id: int) -> Wallet:
        """A revenue share of this tenant. Raises NotFound, or LedgerFault for another account."""
        share = self.wallet(wallet_id, tenant_id)
        if not share.accrues:
            raise LedgerFault(f"account {wallet_id} is no revenue share")
        return share

    def window(self, key: WindowKey) -> KeyWindow:
        """A key's period, empty when it is new."""
        window = self.windows.get(key)
        if window is None:
            window = self.windows[key] = KeyWindow(key_id=key[0], started_at=key[1], limit=None)
        return window

    def account_updates(self) -> list[Row]:
        """(balance, reserved, debt, id, tenant_id) of each wallet that changed."""
        return [(w.balance, w.reserved, w.debt, w.id, w.tenant_id) for w in self.changed_wallets()]

    def lot_inserts(self) -> list[Row]:
        """The new lots, as the whole batch leaves them."""
        return [lot_row(lot, self.wallets[lot.wallet_id].tenant_id) for lot in self._new_lots]

    def lot_updates(self) -> list[Row]:
        """(remaining, reserved, consumed, expired, clawed_back, accrued, id, wallet_id) of each lot that changed."""
        return [(*_figures(lot), lot.id, lot.wallet_id) for lot in self.changed_lots()]

    def lot_days(self) -> list[Row]:
        """(lot_id, tenant_id, day, used) of each daily allowance of which other is used now."""
        return [
            (lot.id, self.wallets[lot.wallet_id].tenant_id, lot.day, lot.used)
            for lot, day, used in self._days.values()
            if (lot.day, lot.used) != (day, used)
        ]

    def lot_turns(self) -> list[Row]:
        """(used_up, id, wallet_id) of each lot of which nothing remains any more, or something again."""
        before = self.before_lots
        return [
            (lot.remaining == 0, lot.id, lot.wallet_id)
            for lot in self.changed_lots()
            if (lot.remaining == 0) != (before[lot.id][0] == 0)
        ]

    def changed_wallets(self) -> list[Wallet]:
        """Each wallet that changed, be it only in its lots. Worked out once, when all is decided.

        Who waits for the wallet's lock learns from its row that the lots are others now.
        """
        if self._changed_wallets is None:
            before, moved = self.before_wallets, self._moved()
            self._changed_wallets = [
                w for w in self.wallets.values() if before[w.id] != (w.balance, w.reserved, w.debt) or w.id in moved
            ]
        return self._changed_wallets

    def changed_lots(self) -> list[Lot]:
        """Each lot that changed, but for new ones. Worked out once, when all is decided."""
        if self._changed_lots is None:
            before = self.before_lots
            self._changed_lots = [
                lot
                for lots in self.lots.values()
                for lot in lots
                if lot.id in before and before[lot.id] != _figures(lot)
            ]
        return self._changed_lots

    def changed_windows(self) -> list[KeyWindow]:
        """Each key window that is new or changed. Worked out once, when all is decided."""
        if self._changed_windows is None:
            before = self.before_windows
            self._changed_windows = [
                w for key, w in self.windows.items() if before.get(key, (0, 0)) != (w.spent, w.reserved)
            ]
        return self._changed_windows

    def _moved(self) -> set[int]:
        """The wallets of which a lot changed."""
        return {lot.wallet_id for lot in self.changed_lots()}

    def _take_wallet(self, wallet: Wallet) -> None:
        self.wallets[wallet.id] = wallet
        self.before_wallets[wallet.id] = (wallet.balance, wallet.reserved, wallet.debt)

    def _read_lot(self, row: Row) -> None:
        lot = lot_of(row)
        self._take_lot(lot)
        if lot.daily is not None:
            self._days_unread.append(lot.id)

    def _take_lot(self, lot: Lot) -> None:
        self.lots.setdefault(lot.wallet_id, []).append(lot)
        self._note_lot(lot)

    def _note_lot(self, lot: Lot) -> None:
        if lot.daily is not None:
            self._days[lot.id] = (lot, lot.day, lot.used)
        self.before_lots[lot.id] = _figures(lot)


def _figures(lot: Lot) -> tuple[int, int, int, int, int, int]:
    return (lot.remaining, lot.reserved, lot.consumed, lot.expired, lot.clawed_back, lot.accrued)
