"""Sample views of statements. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .sample_page import SAMPLE_VISITOR, SamplePage
from .statement import StatementMove, StatementsView, StatementView

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_DOLLAR: Final = 10**9
_ID: Final = "ord_01JD0000000000000000000000"


def _page(path: str, template: str, view: Any) -> SamplePage:
    return SamplePage(
        path=f"/account/billing{path}", template=f"account/{template}.html", view=view, visitor=SAMPLE_VISITOR
    )


_MOVES_OF_MONTH: Final = tuple(
    StatementMove(kind=kind, at=_AT, amount=amount, title=title, url=url, receipt=receipt)
    for kind, amount, title, url, receipt in (
        ("purchase", 10 * _DOLLAR, "Starter", f"/account/billing/orders/{_ID}", "2026-00042"),
        ("bonus", 2 * _DOLLAR, "Starter", f"/account/billing/orders/{_ID}", "2026-00042"),
        ("gift", _DOLLAR, "", "", ""),
        ("refund", -_DOLLAR, "Starter", f"/account/billing/orders/{_ID}", ""),
        ("expiry", -_DOLLAR, "", "", ""),
        ("correction", _DOLLAR, "", "", ""),
    )
)
_STATEMENT: Final = StatementView(
    name="2026-02",
    month=_AT.date().replace(day=1),
    opening=5 * _DOLLAR,
    closing=15 * _DOLLAR,
    sums=(*((move.kind, move.amount) for move in _MOVES_OF_MONTH), ("usage", -2 * _DOLLAR)),
    models=(("gpt-5-mini", 12_345, -2 * _DOLLAR + 1), ("", 3, -1)),
    moves=_MOVES_OF_MONTH,
    running=True,
    seller="Aurora Compute Ltd",
    seller_lines=("1 Example Street, Dublin",),
    buyer_lines=("Jane Doe", "jane@example.com"),
)

PAGES: Final = (
    _page("/statements", "statements", StatementsView((("2026-02", _AT.date()), ("2026-01", dt.date(2026, 1, 1))))),
    _page("/statements/2026-02", "statement", _STATEMENT),
    _page(
        "/statements/2026-01",
        "statement",
        StatementView(name="2026-01", month=dt.date(2026, 1, 1), opening=0, closing=0, sums=(), models=(), moves=()),
    ),
)
