"""Receipts as PDF files that name nobody but their seller. Asks nothing of database, network or clock.

Text can be selected and searched. Latin, Greek, Cyrillic, Hebrew and Arabic letters are embedded; Chinese, Japanese and
Korean ones are written in the fonts that every PDF reader has for them, so that no file grows by megabytes.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont, shapeStr
from reportlab.pdfgen.canvas import Canvas

from . import locale
from .billing import ReceiptView
from .page import Brand
from .prose import fill

_FOLDER: Final = Path(__file__).with_name("fonts")
_PLAIN: Final = "Plain"
_BOLD: Final = "Bold"
_WIDTH, _HEIGHT = A4
_EDGE: Final = 56.0
_RIGHT: Final = _WIDTH - _EDGE
_SIZE: Final = 10.0
_LEADING: Final = 1.45
_RUNS: Final = re.compile(
    r"(?P<hangul>[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+)"
    r"|(?P<kana>[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]*[\u3040-\u30ff]+[\u2e80-\u9fff\uff00-\uffef]*)"
    r"|(?P<han>[\u2e80-\u303f\u3100-\u9fff\uf900-\ufaff\uff00-\uffef]+)"
    r"|(?P<rtl>[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?:[ \u00a0]+[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+)*)"
)
_EASTERN: Final = {"hangul": "HYSMyeongJo-Medium", "kana": "HeiseiMin-W3", "han": "STSong-Light"}
_MAKER: Final = re.compile(rb"% ?(?:\x93\x8c\x8b\x9e )?ReportLab [^\n]*")
"""Comments that the library leaves in a file, outside of everything that is compressed."""


class _Run(Struct, frozen=True):
    """Letters of one font, in the order in which they are drawn."""

    text: str
    font: str

    def width(self, size: float) -> float:
        return float(stringWidth(self.text, self.font, size))


def receipt_pdf(texts: Mapping[str, str], brand: Brand, view: ReceiptView, lang: str) -> bytes:
    """The receipt as a file, one page long unless an address is very long; `texts`: those of the theme by key."""
    _register()

    def text(key: str, **values: object) -> str:
        return fill(texts[key], {"brand": brand.name, **values})

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, pageCompression=1, lang=lang)
    canvas.setTitle(text("receipt_page.title", number=view.number))
    canvas.setSubject(view.order)
    for write in (canvas.setAuthor, canvas.setCreator, canvas.setProducer):
        write(brand.name)
    _Sheet(canvas).write(view, text, lang)
    canvas.save()
    # As long as before: the file's own table of positions stays right.
    return _MAKER.sub(lambda found: b"%" + b" " * (len(found[0]) - 1), file.getvalue())


class _Sheet:
    """A page that is written from its top down."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.y = _HEIGHT - _EDGE - 20

    def write(self, view: ReceiptView, text: Callable[..., str], lang: str) -> None:
        money = functools.partial(locale.currency, lang)
        self.line(view.seller, size=18, font=_BOLD)
        for line in view.seller_lines:
            self.line(line, grey=0.35)
        self.gap(22)
        self.line(text("receipt_page.title", number=view.number), size=15, font=_BOLD)
        self.pair(text("receipt_page.issued"), locale.day(lang, view.issued))
        self.pair(text("receipt_page.paid"), locale.day(lang, view.paid))
        self.pair(text("receipt_page.order"), view.order)
        self.gap(10)
        self.line(text("receipt_page.buyer"), grey=0.35)
        for line in view.buyer_lines:
            self.line(line)
        self.gap(16)
        self.rule()
        for row in view.lines:
            self.pair(row.title, money(row.amount), font=_BOLD)
            self.line(text("receipt_page.credits", credits=money(row.credits)), grey=0.35)
        self.rule()
        for tax in view.taxes:
            self.pair(tax.title, money(tax.amount))
        if not view.taxes:
            self.line(text("receipt_page.no_tax"), grey=0.35)
        self.gap(6)
        self.pair(text("receipt_page.total", currency=view.currency), money(view.total), font=_BOLD, size=12)
        for back in view.refunds:
            self.pair(text("receipt_page.refund", date=locale.day(lang, back.at)), "\u2212" + money(back.amount))
        if view.refunds:
            self.pair(text("receipt_page.kept"), money(view.kept), font=_BOLD)

    def line(self, words: str, *, size: float = _SIZE, font: str = _PLAIN, grey: float = 0.0) -> None:
        """Words on lines of their own."""
        for part in _wrapped(words, font, size, _RIGHT - _EDGE):
            self._room(size)
            self._draw(_EDGE, part, size, grey)
            self.y -= size * _LEADING

    def pair(self, left: str, right: str, *, size: float = _SIZE, font: str = _PLAIN) -> None:
        """What it is, and at the right edge how much."""
        self._room(size)
        runs = list(_runs(right, font))
        width = sum(run.width(size) for run in runs)
        lines = list(_wrapped(left, font, size, _RIGHT - _EDGE - width - 12))
        self._draw(_RIGHT - width, runs, size)
        for part in lines or [[]]:
            self._room(size)
            self._draw(_EDGE, part, size)
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

    def _draw(self, x: float, runs: list[_Run], size: float, grey: float = 0.0) -> None:
        self.canvas.setFillGray(grey)
        for run in runs:
            self.canvas.setFont(run.font, size)
            self.canvas.drawString(x, self.y, run.text)
            x += run.width(size)


def _wrapped(words: str, font: str, size: float, width: float) -> Iterator[list[_Run]]:
    """Lines that fit: broken at spaces, and inside of words that are longer than a line or have no spaces."""
    line = ""
    for piece in re.findall(r"\s*[^\s\u2e80-\uffef]+|\s*[\u2e80-\uffef]", words):
        for part in [piece] if _fits(piece, font, size, width) else list(piece):
            if line and not _fits(line + part, font, size, width):
                yield list(_runs(line.strip(), font))
                line = ""
            line += part
    if line.strip():
        yield list(_runs(line.strip(), font))


def _fits(words: str, font: str, size: float, width: float) -> bool:
    return sum(run.width(size) for run in _runs(words, font)) <= width


def _runs(words: str, font: str) -> Iterator[_Run]:
    """Words in the fonts that have their letters; those written from right to left as they are seen."""
    at = 0
    for found in _RUNS.finditer(words):
        if found.start() > at:
            yield _Run(words[at : found.start()], font)
        kind = str(found.lastgroup)
        if kind == "rtl":
            yield _Run(shapeStr(found[0], font, _SIZE), font)
        else:
            yield _Run(found[0], _EASTERN[kind])
        at = found.end()
    if at < len(words):
        yield _Run(words[at:], font)


@functools.cache
def _register() -> None:
    registerFont(TTFont(_PLAIN, str(_FOLDER / "DejaVuSans.ttf")))
    registerFont(TTFont(_BOLD, str(_FOLDER / "DejaVuSans-Bold.ttf")))
    for font in _EASTERN.values():
        registerFont(UnicodeCIDFont(font))
