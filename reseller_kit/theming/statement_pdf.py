"""A month of a customer's credit as a PDF file that names nobody but its seller. Asks nothing of database or clock."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from . import locale
from .brand import Brand
from .pdf import BOLD, Sheet, written
from .prose import fill
from .statement import StatementView


def statement_pdf(texts: Mapping[str, str], brand: Brand, view: StatementView, lang: str) -> bytes:
    """The statement as a file of as many pages as it takes; `texts`: those of the theme by key."""

    def text(key: str, **values: object) -> str:
        return fill(texts[key], {"brand": brand.name, **values})

    title = text("statement.title", month=locale.month(lang, view.month))
    return written(brand, lang, title, view.name, lambda sheet: _write(sheet, view, text, title, lang))


def _write(sheet: Sheet, view: StatementView, text: Callable[..., str], title: str, lang: str) -> None:
    money = functools.partial(locale.currency, lang)
    sheet.line(view.seller, size=18, font=BOLD)
    for line in view.seller_lines:
        sheet.line(line, grey=0.35)
    sheet.gap(22)
    sheet.line(title, size=15, font=BOLD)
    for line in view.buyer_lines:
        sheet.line(line)
    sheet.gap(16)
    sheet.rule()
    sheet.pair(text("statement.opening"), money(view.opening), font=BOLD)
    for kind, amount in view.sums:
        if amount:
            sheet.pair(text(f"statement.{kind}"), money(amount))
    sheet.rule()
    sheet.pair(text("statement.closing"), money(view.closing), font=BOLD, size=12)
    sheet.gap(4)
    sheet.line(text("statement.currency"), grey=0.35)
    if view.models:
        sheet.gap(16)
        sheet.line(text("statement.by_model"), font=BOLD, size=12)
        for name, calls, amount in view.models:
            named = name or text("statement.older_records")
            sheet.pair(f"{named} \u00b7 {text('statement.calls')}: {locale.number(lang, calls)}", money(amount))
    if view.moves:
        sheet.gap(16)
        sheet.line(text("statement.movements"), font=BOLD, size=12)
        for move in view.moves:
            words = (locale.day(lang, move.at), text(f"statement.{move.kind}"), move.title, move.receipt)
            sheet.pair(" \u00b7 ".join(word for word in words if word), money(move.amount))
