"""What the brand editor's pages show. Holds no cost and no secret; every text of the reseller's is plain here."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .forms import FormView

COLOR_TITLES: Final = {
    "color.bg": "Page",
    "color.surface": "Cards",
    "color.sunken": "Quiet grounds",
    "color.fg": "Text",
    "color.muted": "Quiet text",
    "color.line": "Lines",
    "color.accent": "Accent",
    "color.on_accent": "Text on the accent",
    "color.link": "Links",
    "color.ok": "Good news",
    "color.warn": "Warnings",
    "color.bad": "Errors",
    "color.code_bg": "Code: ground",
    "color.code_fg": "Code: text",
    "color.code_comment": "Code: comments",
    "color.code_keyword": "Code: keywords",
    "color.code_string": "Code: strings",
    "font.body": "Font of texts",
    "font.display": "Font of headlines",
    "font.mono": "Font of code",
    "radius": "Roundness of corners",
    "density": "Density",
}
"""What people call each token."""
PREVIEWS: Final = (("home", "Home"), ("pricing", "Pricing"), ("portal", "Portal"), ("mail", "Mail"))
"""What can be looked at before it is published."""


class ThemeCard(Struct, frozen=True):
    """A theme to choose."""

    name: str
    title: str
    chosen: bool


class ColorRow(Struct, frozen=True):
    """A colour in both schemes: what it is now, whether the brand's own, the theme's or derived."""

    token: str
    title: str
    light: str
    dark: str
    own: bool


class ChoiceRow(Struct, frozen=True):
    """A token or setting of another kind. `options`: value and what it says; `image`: the picture's URL."""

    name: str
    title: str
    type: str
    options: tuple[tuple[str, str], ...] = ()
    placeholder: str = ""
    image: str = ""
    max_length: int = 200


class FailureRow(Struct, frozen=True, kw_only=True):
    """Two colours that can't be told apart. `field`: whose field it is; `better`: what it may be, or ""."""

    field: str
    title: str
    front: str
    ground: str
    front_color: str
    ground_color: str
    scheme: str
    ratio: str
    least: str
    better: str


class ImageRow(Struct, frozen=True):
    """A picture of the brand: where it shows, and its URL if there is one."""

    name: str
    title: str
    hint: str
    url: str


class LanguageRow(Struct, frozen=True):
    """A language that the theme has texts in."""

    code: str
    name: str
    chosen: bool


class LinkRow(Struct, frozen=True):
    """One line of the menu or foot: the names of its fields."""

    to: str
    title: str


class BrandView(Struct, frozen=True, kw_only=True):
    """The editor. `preview`: where revisions are shown; `done`: what was just done; `seen`: the draft's mark."""

    form: FormView
    theme: str
    themes: tuple[ThemeCard, ...]
    colors: tuple[ColorRow, ...]
    shapes: tuple[ChoiceRow, ...]
    settings: tuple[ChoiceRow, ...]
    images: tuple[ImageRow, ...]
    languages: tuple[LanguageRow, ...]
    menu: tuple[LinkRow, ...]
    footer: tuple[LinkRow, ...]
    networks: tuple[tuple[str, str], ...]
    own_pages: tuple[str, ...]
    failures: tuple[FailureRow, ...]
    preview: str
    seen: int
    draft_at: dt.datetime | None = None
    draft_by: str = ""
    number: int = 0
    done: str = ""
    may_edit: bool = True

    @property
    def previews(self) -> tuple[tuple[str, str], ...]:
        """Pages to look at."""
        return PREVIEWS

    @property
    def translated(self) -> tuple[LanguageRow, ...]:
        """The languages beside the default one."""
        default = self.form.value("brand.locale", "en")
        return tuple(row for row in self.languages if row.chosen and row.code != default)


class RevisionRow(Struct, frozen=True, kw_only=True):
    """One revision of the history. `origin`: edited | outside | restored; `source`: which one was restored."""

    number: int
    state: str
    origin: str
    source: str
    author: str
    at: dt.datetime
    theme: str
    name: str
    accent: str
    preview: str


class BrandHistoryView(Struct, frozen=True, kw_only=True):
    """What was published, newest first."""

    rows: tuple[RevisionRow, ...]
    older: str = ""
    form: FormView = FormView()
    may_edit: bool = True
