"""The rows that a batch works on, as values: what was read or remembered, and what is to be written of it.

Decides nothing. `Memory` is what one process keeps between its batches: the holds that it placed itself, and wallets
with their lots at a version by which the backend tells whether anybody else has written them. A batch takes out what
it works on, and what it leaves is put back behind its commit; so whatever fails is forgotten, and read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from msgspec import Struct

from ...core.errors import LedgerFault, NotFound
from ...core.ledger import Hold, KeyWindow, Lot, Wallet
from .cold import ColdRows
from .needs import WindowKey
from .rows import Row, hold_of, lot_of, lot_row

_REMEMBERED: Final = 20_000

Owner: TypeAlias = tuple[str, int]
"""A process's lease and its epoch."""
Version: TypeAlias = tuple[int, int | None]
"""Of a wallet's row, and of the newest of its lots that something remains of; a backend says what they are."""


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


class Memory:
    """What one process remembers of rows as it wrote them itself."""

    def __init__(self) -> None:
        self._owner: Owner = ("", 0)
        self._holds: dict[str, Hold] = {}
        self._wallets: dict[int, tuple[Wallet, list[Lot], Version]] = {}
        self._windows: dict[WindowKey, tuple[KeyWindow, int]] = {}

    def forget(self) -> None:
        """The rows may be others than those that were written."""
        self._holds.clear()
        self._wallets.clear()
        self._windows.clear()

    def forget_wallets(self) -> None:
        """Lots may be changed in ways that are not followed here."""
        self._wallets.clear()

    def begin(self, owner: Owner) -> None:
        """A batch works under this lease; the holds of another one are others' to resolve."""
        if owner != self._owner:
            self._holds.clear()
            self._owner = owner

    def hold(self, request_id: str) -> Hold | None:
        """Take out a hold that was placed under this lease and is open as far as this process knows."""
        return self._holds.pop(request_id, None)

    def wallet(self, wallet_id: int, version: Version) -> tuple[Wallet, list[Lot]] | None:
        """Take out a wallet with all lots of which something remains, if nobody has written them since."""
        wallet, lots, known = self._wallets.pop(wallet_id, (None, [], version))
        return None if wallet is None or known != version else (wallet, lots)

    def versions(self, wallet_ids: Sequence[int]) -> dict[int, Version] | None:
        """At which versions these wallets are remembered; None unless all of them are."""
        remembered = self._wallets
        try:
            return {wallet_id: remembered[wallet_id][2] for wallet_id in wallet_ids}
        except KeyError:
            return None

    def window_versions(self, keys: Sequence[WindowKey]) -> list[int] | None:
        """At which versions these key windows are remembered; None unless all of them are."""
        remembered = self._windows
        try:
            return [remembered[key][1] for key in keys]
        except KeyError:
            return None

    def window(self, key: WindowKey) -> tuple[KeyWindow, int]:
        """Take out a key window that is remembered, and its version. Raises KeyError."""
        return self._windows.pop(key)

    def keep_window(self, window: KeyWindow, version: int) -> None:
        """A key window as the database has it."""
        _make_room(self._windows)
        self._windows[window.key_id, window.started_at] = window, version

    def keep_hold(self, hold: Hold) -> None:
        """A hold that is open in the database under this lease."""
        self._holds[hold.request_id] = hold

    def keep_wallet(self, wallet: Wallet, lots: Sequence[Lot], version: Version) -> None:
        """A wallet and its lots as the database has them; those that were longest out of use may be forgotten."""
        _make_room(self._wallets)
        self._wallets[wallet.id] = wallet, [lot for lot in lots if lot.remaining], version


def _make_room(remembered: dict[Any, Any]) -> None:
    """Forget what was longest out of use, where too much is remembered."""
    if len(remembered) >= _REMEMBERED:
        for oldest in list(islice(remembered, _REMEMBERED // 8)):
            del remembered[oldest]


class State:
    """Wallets, lots, key windows and holds of one batch, as it has changed them so far."""

    def __init__(self) -> None:
        self.wallets: dict[int, Wallet] = {}
        self.lots: dict[int, list[Lot]] = {}
        self.windows: dict[WindowKey, KeyWindow] = {}
        self.holds: dict[str, tuple[Hold, str, int]] = {}
        self._new_lots: list[Lot] = []
        self._account_updates: list[Row] | None = None
        self._lot_updates: list[Row] | None = None
        self._versions: Mapping[int, Version] = {}
        self._before_wallets: dict[int, tuple[int, int, int]] = {}
        self._before_lots: dict[str, tuple[int, int, int, int, int]] = {}
        self._before_windows: dict[WindowKey, tuple[int, int]] = {}
        self._window_versions: dict[WindowKey, int] = {}
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
            self._before_windows[key] = (spent, reserved)
            if version:
                (self._window_versions[key],) = version
        for row in rows.holds:
            self.holds[row[0]] = (hold_of(row), row[14], row[15])
        self.load_named(rows.named_lots)

    def load_named(self, rows: Iterable[Row]) -> None:
        """Lots that were read by their ids; those of the wallets may be among them."""
        for row in rows:
            if row[0] not in self._before_lots:
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
        self._versions = versions
        unknown = []
        for wallet_id, version in versions.items():
            remembered = memory.wallet(wallet_id, version)
            if remembered is None:
                unknown.append(wallet_id)
            else:
                wallet, self.lots[wallet_id] = remembered
                self._take_wallet(wallet)
                for lot in self.lots[wallet_id]:
                    self._note_lot(lot)
        return unknown

    def recall_windows(self, memory: Memory, keys: Iterable[WindowKey]) -> None:
        """Take over key windows, all of which are remembered."""
        for key in keys:
            window, self._window_versions[key] = memory.window(key)
            self.windows[key] = window
            self._before_windows[key] = (window.spent, window.reserved)

    def keep_windows(self, memory: Memory, written: int) -> None:
        """Let key windows be remembered, once they are committed. `written`: the version of those that changed."""
        versions = self._window_versions | {(w.key_id, w.started_at): written for w in self.changed_windows()}
        for key, version in versions.items():
            memory.keep_window(self.windows[key], version)

    def keep_holds(self, memory: Memory, owner: Owner) -> None:
        """Let what is open be remembered, once it is committed."""
        for hold, name, epoch in self.holds.values():
            if name and (name, epoch) == owner and hold.state == "open":
                memory.keep_hold(hold)

    def keep_wallets(self, memory: Memory, written: int | None) -> None:
        """Let wallets be remembered, once they are committed. `written`: the version of what was written, if new."""
        accounts = set() if written is None else {row[-2] for row in self.account_updates()}
        moved = set() if written is None else self._moved()
        for wallet_id, known in self._versions.items():
            wallet = self.wallets.get(wallet_id)
            if wallet is None:
                continue
            version = known
            if written is not None:
                account, newest = known
                version = (written if wallet_id in accounts else account, written if wallet_id in moved else newest)
            memory.keep_wallet(wallet, self.lots.get(wallet_id, ()), version)

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
        """(balance, reserved, debt, id, tenant_id) of each wallet that changed, be it only in its lots.

        Who waits for the wallet's lock learns from its row that the lots are others now. Worked out once, when all is
        decided.
        """
        if self._account_updates is None:
            before, moved = self._before_wallets, self._moved()
            self._account_updates = [
                (w.balance, w.reserved, w.debt, w.id, w.tenant_id)
                for w in self.wallets.values()
                if before[w.id] != (w.balance, w.reserved, w.debt) or w.id in moved
            ]
        return self._account_updates

    def lot_inserts(self) -> list[Row]:
        """The new lots, as the whole batch leaves them."""
        return [lot_row(lot, self.wallets[lot.wallet_id].tenant_id) for lot in self._new_lots]

    def lot_updates(self) -> list[Row]:
        """(remaining, reserved, consumed, expired, clawed_back, accrued, id, wallet_id) of each lot that changed.

        Worked out once, when all is decided.
        """
        if self._lot_updates is None:
            before = self._before_lots
            self._lot_updates = [
                (x.remaining, x.reserved, x.consumed, x.expired, x.clawed_back, x.accrued, x.id, x.wallet_id)
                for lots in self.lots.values()
                for x in lots
                if x.id in before and before[x.id] != (x.remaining, x.reserved, x.consumed, x.clawed_back, x.accrued)
            ]
        return self._lot_updates

    def lot_days(self) -> list[Row]:
        """(lot_id, tenant_id, day, used) of each daily allowance of which other is used now."""
        return [
            (lot.id, self.wallets[lot.wallet_id].tenant_id, lot.day, lot.used)
            for lot, day, used in self._days.values()
            if (lot.day, lot.used) != (day, used)
        ]

    def lot_turns(self) -> list[Row]:
        """(used_up, id, wallet_id) of each lot of which nothing remains any more, or something again."""
        before = self._before_lots
        return [
            (row[0] == 0, row[-2], row[-1]) for row in self.lot_updates() if (row[0] == 0) != (before[row[-2]][0] == 0)
        ]

    def changed_windows(self) -> list[KeyWindow]:
        """Each key window that is new or changed."""
        before = self._before_windows
        return [w for key, w in self.windows.items() if before.get(key, (0, 0)) != (w.spent, w.reserved)]

    def _moved(self) -> set[int]:
        """The wallets of which a lot changed."""
        return {row[-1] for row in self.lot_updates()}

    def _take_wallet(self, wallet: Wallet) -> None:
        self.wallets[wallet.id] = wallet
        self._before_wallets[wallet.id] = (wallet.balance, wallet.reserved, wallet.debt)

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
        self._before_lots[lot.id] = (lot.remaining, lot.reserved, lot.consumed, lot.clawed_back, lot.accrued)
