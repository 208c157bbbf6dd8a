"""What the pages of statements show, as values that `web.account` fills. Amounts: nano-USD; moments: with zone."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct


class StatementMove(Struct, frozen=True, kw_only=True):
    """A movement of a statement: what kind it is of, what it is about, and where that is to be found."""

    kind: str
    at: dt.datetime
    amount: int
    title: str = ""
    url: str = ""
    receipt: str = ""


class StatementView(Struct, frozen=True, kw_only=True):
    """A month of the credit, in nano-USD. `sums`: kind and amount in the order of the ledger's kinds.

    `month`: its first day; `running`: it is not over; `models`: name, calls, amount.
    """

    name: str
    month: dt.date
    opening: int
    closing: int
    sums: tuple[tuple[str, int], ...]
    models: tuple[tuple[str, int, int], ...]
    moves: tuple[StatementMove, ...]
    running: bool = False
    seller: str = ""
    seller_lines: tuple[str, ...] = ()
    buyer_lines: tuple[str, ...] = ()


class StatementsView(Struct, frozen=True):
    """The months that there are statements of: name and first day, the latest first."""

    months: tuple[tuple[str, dt.date], ...]
