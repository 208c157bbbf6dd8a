"""Sample views of the brand editor. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .console_brand import (
    BrandHistoryView,
    BrandView,
    ChoiceRow,
    ColorRow,
    FailureRow,
    ImageRow,
    LanguageRow,
    LinkRow,
    RevisionRow,
    ThemeCard,
)
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_ODD: Final = "{{7*7}} <b>\"' 🚀"
_FIELDS: Final = (
    "brand.tagline",
    "color.accent.light",
    "radius.light",
    "hero_color",
    "brand.menu.0.to",
    "brand.images.favicon",
)


def _editor(**changes: Any) -> BrandView:
    given: dict[str, Any] = {
        "form": FormView(
            values={
                "brand.name": "Aurora AI",
                "brand.tagline": "Models for people who ship",
                "brand.locale": "en",
                "show_prices": "on",
            }
        ),
        "theme": "daylight",
        "themes": (ThemeCard("daylight", "Daylight", True), ThemeCard("midnight", "Midnight", False)),
        "colors": (ColorRow("color.accent", "Accent", "#ffd400", "#ffd400", own=True),),
        "shapes": (
            ChoiceRow("radius.light", "Roundness of corners", "text", placeholder="14px"),
            ChoiceRow("font.body.light", "Font of texts", "select", (("", "The theme's own"), ("inter", "Inter"))),
        ),
        "settings": (
            ChoiceRow("hero_color", "A colour", "color"),
            ChoiceRow("show_prices", "Price list", "boolean"),
            ChoiceRow("hero_image", "A picture", "image", image="/theme/images/0"),
        ),
        "images": (ImageRow("brand.images.favicon", "Icon", "Square.", "/theme/images/0"),),
        "languages": (LanguageRow("en", "English", True), LanguageRow("de", "Deutsch", True)),
        "menu": (LinkRow("brand.menu.0.to", "brand.menu.0.title"),),
        "footer": (LinkRow("brand.footer.0.to", "brand.footer.0.title"),),
        "networks": (("github", "GitHub"),),
        "own_pages": ("/pricing",),
        "failures": (),
        "preview": "/preview/sample",
        "seen": 0,
    }
    return BrandView(**{**given, **changes})


def _failure(better: str) -> FailureRow:
    return FailureRow(
        field="color.on_accent.light",
        title="Text on the accent",
        front="Text on the accent",
        ground="Accent",
        front_color="#ffffff",
        ground_color="#ffd400",
        scheme="light",
        ratio="1.43",
        least="4.5",
        better=better,
    )


def _revision(number: int, **changes: Any) -> RevisionRow:
    given: dict[str, Any] = {
        "number": number,
        "state": "superseded",
        "origin": "edited",
        "source": "",
        "author": "ada@example.com",
        "at": _AT,
        "theme": "Daylight",
        "name": _ODD,
        "accent": "#4338ca",
        "preview": "/preview/sample/own/light/home",
    }
    return RevisionRow(**{**given, **changes})


_WRONG: Final = FormView(
    values={"brand.locale": "en"},
    problems=tuple(FormProblem(field=name, key="{text}", values={"text": _ODD}) for name in ("", *_FIELDS)),
)
PAGES: Final = (
    page("/console/brand", _editor(done="published", number=3)),
    page("/console/brand", _editor(may_edit=False, form=FormView(values={"brand.name": _ODD}))),
    page(
        "/console/brand",
        _editor(form=_WRONG, failures=(_failure("#5d5d5d"), _failure("")), draft_at=_AT, draft_by="ada@example.com"),
    ),
    page(
        "/console/brand/history",
        BrandHistoryView(
            rows=(
                _revision(3, state="published", origin="restored", source="1"),
                _revision(2),
                _revision(1, origin="outside", author=""),
            ),
            older="/console/brand/history?before=1",
            form=_WRONG,
        ),
        template="console/brand_history.html",
    ),
    page("/console/brand/history", BrandHistoryView(rows=()), template="console/brand_history.html"),
)
