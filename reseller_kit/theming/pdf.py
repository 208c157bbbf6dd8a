"""Receipts as PDF files that name nobody but their seller. Asks nothing of database, network or clock.

Text can be selected and searched. The letters that a file uses, and only they, are embedded in it (Latin, Greek,
Cyrillic, Hebrew, Arabic, Chinese, Japanese, Korean), so that every reader shows them and no file grows by megabytes.
"""

from __future__ import annotations

import functools
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final, cast

from msgspec import Struct
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import getFont, registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont, shapeStr
from reportlab.pdfgen.canvas import Canvas

from . import locale
from .billing import ReceiptLine, ReceiptView
from .brand import Brand
from .prose import fill
from .writing_order import stretches

_FOLDER: Final = Path(__file__).with_name("fonts")
PLAIN: Final = "Plain"
BOLD: Final = "Bold"
_WIDTH, _HEIGHT = A4
_EDGE: Final = 56.0
_RIGHT: Final = _WIDTH - _EDGE
_SIZE: Final = 10.0
_LEADING: Final = 1.45
_EASTERN: Final = "Eastern"
_BOLDER: Final = 0.035
"""How wide a line around a letter is, as a share of its size, that makes it bold where its font has no bold ones."""
_UNDRAWN: Final = frozenset({"Cf", "Cn", "Co", "Cs", "So", "Sk"})
"""Kinds of signs that are left out where no font has them, pictures above all; of letters a box is drawn."""
_FULL_TEXT: Final = 2
"""A letter is filled and its line drawn."""
_MIRRORED: Final = dict(zip("()[]{}<>«»", ")(][}{><»«", strict=True))
_DAILY: Final = "At most {amount} of it a day (UTC)"
"""A text by its English, as the pages have it."""
_MAKER: Final = re.compile(rb"% ?(?:\x93\x8c\x8b\x9e )?ReportLab [^\n]*")
"""Comments that the library leaves in a file, outside of everything that is compressed."""


class _Run(Struct, frozen=True):
    """Letters of one font, in the order in which they are drawn; `bold`: thickened, as the font has no bold ones."""

    text: str
    font: str
    bold: bool = False

    def width(self, size: float) -> float:
        return float(stringWidth(self.text, self.font, size))


def receipt_pdf(texts: Mapping[str, str], brand: Brand, view: ReceiptView, lang: str) -> bytes:
    """The receipt as a file, one page long unless an address is very long; `texts`: those of the theme by key."""

    def text(key: str, **values: object) -> str:
        return fill(texts.get(key, key), {"brand": brand.name, **values})

    title = text("receipt_page.title", number=view.number)
    return written(brand, lang, title, view.order, lambda sheet: _write(sheet, view, text, lang))


def written(brand: Brand, lang: str, title: str, subject: str, write: Callable[[Sheet], None]) -> bytes:
    """A file whose metadata name the brand alone; `write` fills its sheet."""
    _register()
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, pageCompression=1, lang=lang, initialFontName=PLAIN)  # type: ignore[arg-type]  # a name
    canvas.setTitle(title)
    canvas.setSubject(subject)
    for name in (canvas.setAuthor, canvas.setCreator, canvas.setProducer):
        name(brand.name)
    write(Sheet(canvas, right_to_left=locale.direction(lang) == "rtl"))
    canvas.save()
    # As long as before: the file's own table of positions stays right.
    return _MAKER.sub(lambda found: b"%" + b" " * (len(found[0]) - 1), file.getvalue())


def _credited(row: ReceiptLine, text: Callable[..., str], money: Callable[[str], str]) -> str:
    credited = text("receipt_page.credits", credits=money(row.credits))
    return f"{credited} · {text(_DAILY, amount=money(row.daily))}" if row.daily else credited


def _write(sheet: Sheet, view: ReceiptView, text: Callable[..., str], lang: str) -> None:
    money = functools.partial(locale.currency, lang)
    sheet.line(view.seller, size=18, font=BOLD)
    for line in view.seller_lines:
        sheet.line(line, grey=0.35)
    sheet.gap(22)
    sheet.line(text("receipt_page.title", number=view.number), size=15, font=BOLD)
    sheet.pair(text("receipt_page.issued"), locale.day(lang, view.issued))
    sheet.pair(text("receipt_page.paid"), locale.day(lang, view.paid))
    sheet.pair(text("receipt_page.order"), view.order)
    sheet.gap(10)
    sheet.line(text("receipt_page.buyer"), grey=0.35)
    for line in view.buyer_lines:
        sheet.line(line)
    sheet.gap(16)
    sheet.rule()
    for row in view.lines:
        sheet.pair(row.title, money(row.amount), font=BOLD)
        sheet.line(_credited(row, text, money), grey=0.35)
    sheet.rule()
    for tax in view.taxes:
        sheet.pair(f"{text('receipt_page.tax')} {tax.title}".strip(), money(tax.amount))
    if not view.taxes:
        sheet.line(text("receipt_page.tax_invoice" if view.merchant else "receipt_page.no_tax"), grey=0.35)
    sheet.gap(6)
    sheet.pair(text("receipt_page.total", currency=view.currency), money(view.total), font=BOLD, size=12)
    for back in view.refunds:
        sheet.pair(text("receipt_page.refund", date=locale.day(lang, back.at)), "\u2212" + money(back.amount))
    if view.refunds:
        sheet.pair(text("receipt_page.kept"), money(view.kept), font=BOLD)
    if view.charged:
        own = functools.partial(locale.minor, lang, code=view.charged.currency)
        sheet.line(text("receipt_page.charged", total=own(view.charged.total), tax=own(view.charged.tax)))
    if view.merchant:
        sheet.gap(6)
        sheet.line(text("receipt_page.merchant"), grey=0.35)


class Sheet:
    """A page that is written from its top down, from the edge at which its language begins."""

    def __init__(self, canvas: Canvas, *, right_to_left: bool = False) -> None:
        self.canvas = canvas
        self.right_to_left = right_to_left
        self.y = _HEIGHT - _EDGE - 20

    def line(self, words: str, *, size: float = _SIZE, font: str = PLAIN, grey: float = 0.0) -> None:
        """Words on lines of their own."""
        for part in _wrapped(words, font, size, _RIGHT - _EDGE):
            self._room(size)
            self._start(part, font, size, grey)
            self.y -= size * _LEADING

    def pair(self, left: str, right: str, *, size: float = _SIZE, font: str = PLAIN) -> None:
        """What it is, and at the other edge how much."""
        self._room(size)
        runs = self._runs(right, font)
        width = _width(runs, size)
        self._draw(_EDGE if self.right_to_left else _RIGHT - width, runs, size)
        for part in list(_wrapped(left, font, size, _RIGHT - _EDGE - width - 12)) or [""]:
            self._room(size)
            self._start(part, font, size)
            self.y -= size * _LEADING

    def rule(self) -> None:
        """A line across."""
        self.canvas.setStrokeGray(0.8)
        self.canvas.line(_EDGE, self.y + 2, _RIGHT, self.y + 2)
        self.gap(14)

    def gap(self, points: float) -> None:
        """Room between parts."""
        self.y -= points

    def _room(self, size: float) -> None:
        if self.y < _EDGE + size:
            self.canvas.showPage()
            self.y = _HEIGHT - _EDGE - 20

    def _runs(self, words: str, font: str) -> list[_Run]:
        return list(_runs(words, font, right_to_left=self.right_to_left))

    def _start(self, words: str, font: str, size: float, grey: float = 0.0) -> None:
        """A line from the edge at which reading begins."""
        runs = self._runs(words, font)
        self._draw(_RIGHT - _width(runs, size) if self.right_to_left else _EDGE, runs, size, grey)

    def _draw(self, x: float, runs: list[_Run], size: float, grey: float = 0.0) -> None:
        self.canvas.setFillGray(grey)
        self.canvas.setStrokeGray(grey)
        for run in runs:
            self.canvas.setFont(run.font, size)
            self.canvas.setLineWidth(size * _BOLDER)
            self.canvas.drawString(x, self.y, run.text, mode=_FULL_TEXT if run.bold else None)
            x += run.width(size)


def _wrapped(words: str, font: str, size: float, width: float) -> Iterator[str]:
    """Lines that fit: broken at spaces, and inside of words that are longer than a line or have no spaces."""
    line = ""
    for piece in re.findall(r"\s*[^\s\u2e80-\ufaff\uff00-\uffef]+|\s*[\u2e80-\ufaff\uff00-\uffef]", words):
        for part in [piece] if _fits(piece, font, size, width) else list(piece):
            if line and not _fits(line + part, font, size, width):
                yield line.strip()
                line = ""
            line += part
    if line.strip():
        yield line.strip()


def _fits(words: str, font: str, size: float, width: float) -> bool:
    return _width(_runs(words, font), size) <= width


def _width(runs: Iterable[_Run], size: float) -> float:
    return sum(run.width(size) for run in runs)


def _runs(words: str, font: str, *, right_to_left: bool = False) -> Iterator[_Run]:
    """Words from left to right as they are seen, in the fonts that have their letters."""
    for stretch in stretches(words, right_to_left=right_to_left):
        parts = [(kind, "".join(part)) for kind, part in groupby(stretch.text, functools.partial(_font_of, font))]
        for drawn_in, text in reversed(parts) if stretch.backwards else parts:
            if drawn_in == _EASTERN:
                yield _Run(text, drawn_in, bold=font == BOLD)
            elif drawn_in is not None:
                yield _Run(_backwards(text, font) if stretch.backwards else text, drawn_in)


def _backwards(text: str, font: str) -> str:
    """Right-to-left letters joined and in the order in which they are drawn."""
    if any(letter.isalpha() for letter in text):
        return str(shapeStr(text, font, _SIZE))
    return "".join(_MIRRORED.get(letter, letter) for letter in reversed(text))


def _font_of(font: str, letter: str) -> str | None:
    """Which font draws a letter; none where a picture has no drawing."""
    if _has(font, letter):
        return font
    if _has(_EASTERN, letter):
        return _EASTERN
    return None if unicodedata.category(letter) in _UNDRAWN or "\ufe00" <= letter <= "\ufe0f" else font


def _has(font: str, letter: str) -> bool:
    return ord(letter) in cast(TTFont, getFont(font)).face.charToGlyph


@functools.cache
def _register() -> None:
    registerFont(TTFont(PLAIN, str(_FOLDER / "DejaVuSans.ttf")))
    registerFont(TTFont(BOLD, str(_FOLDER / "DejaVuSans-Bold.ttf")))
    registerFont(TTFont(_EASTERN, str(_FOLDER / "WenQuanYiMicroHei.ttc")))
