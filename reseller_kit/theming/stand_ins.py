"""Fonts of the reader's own, fitted to a vendored one that has not arrived yet. Loads nothing from anywhere.

A stand-in is scaled so that a line of text is as long, and as high above and below its baseline, as in the font itself
(CSS Fonts Level 5, `size-adjust` and the metrics overrides): when the font arrives, letters change and nothing moves.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from reseller_kit.core.theme import Font, FontMetrics


class _Local(Struct, frozen=True):
    """Fonts of one measure that systems have: names of the plain and the bold cut, and the mean width of a letter.

    Names are full and PostScript names, since `local()` matches either. Widths are in em, of the same text that
    FontMetrics are measured with.
    """

    plain: tuple[str, ...]
    bold: tuple[str, ...]
    widths: tuple[float, float]


_LOCAL: Final = {
    "sans": (
        _Local(
            ("Arial", "ArialMT", "Liberation Sans", "Arimo"),
            ("Arial Bold", "Arial-BoldMT", "Liberation Sans Bold", "Arimo Bold"),
            (0.449, 0.481),
        ),
        _Local(("Roboto", "Roboto-Regular"), ("Roboto Bold", "Roboto-Bold"), (0.445, 0.453)),
        _Local(("DejaVu Sans",), ("DejaVu Sans Bold",), (0.509, 0.574)),
    ),
    "serif": (
        _Local(
            ("Times New Roman", "TimesNewRomanPSMT", "Liberation Serif", "Tinos"),
            ("Times New Roman Bold", "TimesNewRomanPS-BoldMT", "Liberation Serif Bold", "Tinos Bold"),
            (0.406, 0.43),
        ),
        _Local(("Noto Serif", "NotoSerif"), ("Noto Serif Bold", "NotoSerif-Bold"), (0.478, 0.507)),
        _Local(("DejaVu Serif",), ("DejaVu Serif Bold",), (0.515, 0.567)),
    ),
    "mono": (
        _Local(
            ("Menlo Regular", "Menlo-Regular", "DejaVu Sans Mono"),
            ("Menlo Bold", "Menlo-Bold", "DejaVu Sans Mono Bold"),
            (0.602, 0.602),
        ),
        _Local(("Consolas",), ("Consolas Bold",), (0.55, 0.55)),
        _Local(
            ("Roboto Mono", "Droid Sans Mono", "Liberation Mono", "Noto Sans Mono Regular"),
            ("Roboto Mono Bold", "Liberation Mono Bold", "Noto Sans Mono Bold"),
            (0.6, 0.6),
        ),
    ),
}
_WEIGHTS: Final = ("1 549", "550 1000")


def families(font: Font) -> tuple[str, ...]:
    """The family names of a font's stand-ins, the likeliest first; none for a font without metrics."""
    if font.family is None or font.metrics is None:
        return ()
    return tuple(f"{font.family} stand-in {number}" for number in range(1, len(_LOCAL[font.fallback]) + 1))


def faces(font: Font, unicode_range: str) -> str:
    """The `@font-face` rules of a font's stand-ins, for the characters that the font itself has."""
    if font.metrics is None:
        return ""
    return "".join(
        _face(family, weights, names, _fitted(font.metrics, width, own), unicode_range)
        for family, local in zip(families(font), _LOCAL[font.fallback], strict=True)
        for weights, names, own, width in zip(
            _WEIGHTS, (local.plain, local.bold), local.widths, font.metrics.widths, strict=True
        )
    )


def _fitted(metrics: FontMetrics, width: float, own: float) -> str:
    scale = width / own
    return (
        f"size-adjust:{scale:.1%};ascent-override:{metrics.ascent / scale:.1%};"
        f"descent-override:{metrics.descent / scale:.1%};line-gap-override:0%"
    )


def _face(family: str, weights: str, names: tuple[str, ...], fitted: str, unicode_range: str) -> str:
    sources = ",".join(f'local("{name}")' for name in names)
    rules = f'font-family:"{family}";font-weight:{weights};src:{sources};{fitted};unicode-range:{unicode_range}'
    return f"@font-face{{{rules}}}"
