"""The rows that a batch works on, as values: what was read or remembered, and what is to be written of it.

Decides nothing. `Memory` is what one process keeps between its batches: the holds that it placed itself, and, where
the backend can tell that nobody else has written meanwhile, wallets with their lots. A batch takes out what it works
on, and what it leaves is put back behind its commit; so whatever fails is forgotten, and read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import LedgerFault, NotFound
from ...core.ledger import Hold, KeyWindow, Lot, Wallet
from .cold import ColdRows
from .needs import Needs, WindowKey
from .rows import Row, hold_of, lot_of, lot_row

_REMEMBERED_WALLETS: Final = 20_000

Owner: TypeAlias = tuple[str, int]
"""A process's lease and its epoch."""


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
    """What one process remembers of rows as it wrote them itself; `wallets`: not only holds."""

    def __init__(self, *, wallets: bool) -> None:
        self.of_wallets = wallets
        self._owner: Owner = ("", 0)
        self._holds: dict[str, Hold] = {}
        self._wallets: dict[int, tuple[Wallet, list[Lot]]] = {}

    def forget_wallets(self) -> None:
        """Somebody else may have written wallets or lots."""
        self._wallets.clear()

    def forget(self) -> None:
        """The rows may be others than those that were written."""
        self._holds.clear()
        self._wallets.clear()

    def begin(self, owner: Owner) -> None:
        """A batch works under this lease; the holds of another one are others' to resolve."""
        if owner != self._owner:
            self._holds.clear()
            self._owner = owner

    def hold(self, request_id: str) -> Hold | None:
        """Take out a hold that was placed under this lease and is open as far as this process knows."""
        return self._holds.pop(request_id, None)

    def wallet(self, wallet_id: int) -> tuple[Wallet, list[Lot]] | None:
        """Take out a wallet with all lots of which something remains."""
        return self._wallets.pop(wallet_id, None)

    def keep_hold(self, hold: Hold) -> None:
        """A hold that is open in the database under this lease."""
        self._holds[hold.request_id] = hold

    def keep_wallet(self, wallet: Wallet, lots: Sequence[Lot]) -> None:
        """A wallet and its lots as the database has them; the one that was longest out of use may be forgotten."""
        if len(self._wallets) >= _REMEMBERED_WALLETS:
            for oldest in list(islice(self._wallets, _REMEMBERED_WALLETS // 8)):
                del self._wallets[oldest]
        self._wallets[wallet.id] = wallet, [lot for lot in lots if lot.remaining]


class State:
    """Wallets, lots, key windows and holds of one batch, as it has changed them so far."""

    def __init__(self) -> None:
        self.wallets: dict[int, Wallet] = {}
        self.lots: dict[int, list[Lot]] = {}
        self.windows: dict[WindowKey, KeyWindow] = {}
        self.holds: dict[str, tuple[Hold, str, int]] = {}
        self._new_lots: list[Lot] = []
        self._before_wallets: dict[int, tuple[int, int, int]] = {}
        self._before_lots: dict[str, tuple[int, int, int, int]] = {}
        self._before_windows: dict[WindowKey, tuple[int, int]] = {}

    def load(self, rows: Loaded) -> None:
        """Take over the rows that were read under the locks."""
        for wallet_id, tenant_id, kind, balance, reserved, debt in rows.accounts:
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
            self._take_lot(lot_of(row))
        for key_id, started_at, spent, reserved in rows.windows:
            key = (key_id, started_at)
            self.windows[key] = KeyWindow(
                key_id=key_id, started_at=started_at, limit=None, spent=spent, reserved=reserved
            )
            self._before_windows[key] = (spent, reserved)
        for row in rows.holds:
            self.holds[row[0]] = (hold_of(row), row[14], row[15])
        self.load_named(rows.named_lots)

    def load_named(self, rows: Iterable[Row]) -> None:
        """Lots that were read by their ids; those of the wallets may be among them."""
        for row in rows:
            if row[0] not in self._before_lots:
                self._take_lot(lot_of(row))

    def recall(self, memory: Memory, needs: Needs, owner: Owner, *, wallets: bool) -> Needs:
        """Take over what is remembered of these needs; what is left to read."""
        memory.begin(owner)
        unknown = []
        for request_id in needs.holds:
            hold = memory.hold(request_id)
            if hold is None:
                unknown.append(request_id)
            else:
                self.holds[request_id] = (hold, *owner)
        if not (wallets and memory.of_wallets):
            memory.forget_wallets()
            return replace(needs, holds=unknown)
        strange = []
        for wallet_id in needs.wallets:
            remembered = memory.wallet(wallet_id)
            if remembered is None:
                strange.append(wallet_id)
            else:
                self._take_wallet(remembered[0])
                for lot in remembered[1]:
                    self._take_lot(lot)
        return replace(needs, holds=unknown, wallets=strange)

    def keep(self, memory: Memory, owner: Owner, *, wallets: bool) -> None:
        """Put back what is committed now."""
        for hold, name, epoch in self.holds.values():
            if name and (name, epoch) == owner and hold.state == "open":
                memory.keep_hold(hold)
        for wallet in self.wallets.values() if wallets and memory.of_wallets else ():
            memory.keep_wallet(wallet, self.lots.get(wallet.id, ()))

    def add_lots(self, lots: Iterable[Lot]) -> None:
        """Lots that a decision made."""
        for lot in lots:
            self.lots.setdefault(lot.wallet_id, []).append(lot)
            self._new_lots.append(lot)

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
        before = self._before_wallets
        return [
            (w.balance, w.reserved, w.debt, w.id, w.tenant_id)
            for w in self.wallets.values()
            if before[w.id] != (w.balance, w.reserved, w.debt)
        ]

    def lot_inserts(self) -> list[Row]:
        """The new lots, as the whole batch leaves them."""
        return [lot_row(lot, self.wallets[lot.wallet_id].tenant_id) for lot in self._new_lots]

    def lot_updates(self) -> list[Row]:
        """(remaining, reserved, consumed, expired, clawed_back, accrued, id, wallet_id) of each lot that changed."""
        before = self._before_lots
        return [
            (x.remaining, x.reserved, x.consumed, x.expired, x.clawed_back, x.accrued, x.id, x.wallet_id)
            for lots in self.lots.values()
            for x in lots
            if x.id in before and before[x.id] != (x.remaining, x.reserved, x.clawed_back, x.accrued)
        ]

    def lot_turns(self) -> list[Row]:
        """(used_up, id, wallet_id) of each lot of which nothing remains any more, or something again."""
        before = self._before_lots
        return [
            (x.remaining == 0, x.id, x.wallet_id)
            for lots in self.lots.values()
            for x in lots
            if x.id in before and (before[x.id][0] == 0) != (x.remaining == 0)
        ]

    def changed_windows(self) -> list[KeyWindow]:
        """Each key window that is new or changed."""
        before = self._before_windows
        return [w for key, w in self.windows.items() if before.get(key, (0, 0)) != (w.spent, w.reserved)]

    def _take_wallet(self, wallet: Wallet) -> None:
        self.wallets[wallet.id] = wallet
        self._before_wallets[wallet.id] = (wallet.balance, wallet.reserved, wallet.debt)

    def _take_lot(self, lot: Lot) -> None:
        self.lots.setdefault(lot.wallet_id, []).append(lot)
        self._before_lots[lot.id] = (lot.remaining, lot.reserved, lot.clawed_back, lot.accrued)
