"""What the console's pages of packages show, as values that `web.console` fills. Amounts are nano-USD."""

from __future__ import annotations

from msgspec import Struct

from .forms import FormView
from .page import PackageRow


class ShelfRow(Struct, frozen=True, kw_only=True):
    """A package of the list. `version` counts its changes; `sold`: paid orders; `waiting`: unpaid ones."""

    card: PackageRow
    version: int
    sold: int
    waiting: int


class ShelfView(Struct, frozen=True, kw_only=True):
    """What is on offer, in the order of pages, and what is not any more."""

    offered: tuple[ShelfRow, ...]
    past: tuple[ShelfRow, ...]
    mark: str
    may_edit: bool
    form: FormView = FormView()
    done: str = ""


class PackageView(Struct, frozen=True, kw_only=True):
    """One package to be made or changed. `card`: as the storefront shows it; None while it can't be sold so."""

    kind: str
    code: str
    is_new: bool
    mark: str
    may_edit: bool
    form: FormView
    card: PackageRow | None = None
    past: bool = False
    version: int = 0
    sold: int = 0
    waiting: int = 0
