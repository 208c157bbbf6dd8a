"""What one process keeps of the ledger between its batches: the holds that it placed, wallets with lots, key windows.

Each with a version by which the backend tells whether anybody else has written it. A batch takes out what it works on,
and what it leaves is put back behind its commit; so whatever fails is forgotten, and read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from ...core.ledger import Hold, KeyWindow, Lot, Wallet
from .needs import WindowKey

_REMEMBERED: Final = 20_000

Owner: TypeAlias = tuple[str, int]
"""A process's lease and its epoch."""
Version: TypeAlias = tuple[int, int | None]
"""Of a wallet's row, and of the newest of its lots that something remains of; a backend says what they are."""


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

    def wallets(self, versions: Mapping[int, Version]) -> tuple[list[tuple[Wallet, list[Lot], Version]], list[int]]:
        """Take out wallets with all lots of which something remains, if nobody has written them since; the others."""
        found, unknown = [], []
        for wallet_id, version in versions.items():
            remembered = self._wallets.pop(wallet_id, None)
            if remembered is None or remembered[2] != version:
                unknown.append(wallet_id)
            else:
                found.append(remembered)
        return found, unknown

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

    def keep_wallets(self, wallets: Mapping[int, tuple[Wallet, list[Lot], Version]]) -> None:
        """Wallets and their lots as the database has them; those that were longest out of use may be forgotten."""
        _make_room(self._wallets)
        self._wallets |= wallets


def _make_room(remembered: dict[Any, Any]) -> None:
    """Forget what was longest out of use, where too much is remembered."""
    if len(remembered) >= _REMEMBERED:
        for oldest in list(islice(remembered, _REMEMBERED // 8)):
            del remembered[oldest]
