"""Mails from templates, in the same brand, texts and colours as the pages. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jinja2
from msgspec import Struct

from reseller_kit.core.errors import NotFound

from . import locale, prose
from .library import Theme
from .page import Brand
from .render import Library, find_theme, texts_of
from .stylesheet import look


class Mail(Struct, frozen=True, kw_only=True):
    """What a mail's templates know. `origin` is the brand's own; `content` is what the kind of mail tells of."""

    brand: Brand
    origin: str
    content: Mapping[str, Any]
    lang: str = "en"

    @property
    def dir(self) -> Literal["ltr", "rtl"]:
        """The direction in which the language is written."""
        return locale.direction(self.lang)


class RenderedMail(Struct, frozen=True):
    """A mail's subject and its two bodies."""

    subject: str
    text: str
    html: str


def render_mail(library: Library, theme: str, kind: str, mail: Mail) -> RenderedMail:
    """The mail of a kind: the text `mail.<kind>.subject`, `mail/<kind>.txt` and `mail/<kind>.html` of the theme.

    Raises NotFound for a kind or theme that is not installed.
    """
    chosen = find_theme(library, theme)
    context = _context(chosen, mail)
    try:
        told = {name: value for name, value in mail.content.items() if isinstance(value, str) and name != "brand"}
        subject = str(context["t"](f"mail.{kind}.subject", **told))
        bodies = [library.environment.get_template(f"{theme}::mail/{kind}.{form}") for form in ("txt", "html")]
    except (KeyError, jinja2.TemplateNotFound):
        raise NotFound(f"Theme {theme} has no mail {kind!r}.") from None
    text, html = (body.render(context) for body in bodies)
    # One line whatever the texts hold: a subject is a header.
    return RenderedMail(" ".join(subject.split()), text.strip() + "\n", html)


def _context(theme: Theme, mail: Mail) -> dict[str, Any]:
    texts = texts_of(theme, mail.lang)
    colors = look(theme, mail.brand).tokens.light

    def text(key: str, /, **values: object) -> str:
        return prose.fill(texts[key], {"brand": mail.brand.name, **values})

    return {
        "mail": mail,
        "lang": mail.lang,
        "brand": mail.brand,
        "content": mail.content,
        "t": text,
        "color": lambda name: colors[f"color.{name}"].css,
    }
