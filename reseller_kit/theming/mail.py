"""Mails from templates, in the same brand, texts and colours as the pages. Sends nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from msgspec import Struct

from reseller_kit.core.errors import NotFound

from . import locale, prose
from .brand import Brand
from .library import Theme
from .mail_scheme import mark, painted
from .render import Library, find_theme, texts_of
from .stylesheet import look

_AMOUNTS: Final = ("price", "credits", "amount", "available", "left")
"""What of a mail's content is decimal strings of USD that its texts put beside a currency."""


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
    """The mail of a kind: `mail/<kind>.txt` and `mail/<kind>.html` of the theme.

    Its subject is the text `mail.<kind>.subject` or, of a mail that is written in sentences, the `subject` that its
    `.txt` sets.

    Raises NotFound for a kind or theme that is not installed.
    """
    chosen = find_theme(library, theme)
    mail = msgspec.structs.replace(mail, content=_spoken(mail.content, mail.lang))
    context = _context(chosen, mail)
    try:
        told = {name: value for name, value in mail.content.items() if isinstance(value, str) and name != "brand"}
        bodies = [library.environment.get_template(f"{theme}::mail/{kind}.{form}") for form in ("txt", "html")]
        module = bodies[0].make_module(context)
        subject = getattr(module, "subject", None) or context["t"](f"mail.{kind}.subject", **told)
    except (KeyError, jinja2.TemplateNotFound):
        raise NotFound(f"Theme {theme} has no mail {kind!r}.") from None
    tokens = look(chosen, mail.brand).tokens
    text, html = str(module), painted(bodies[1].render(context), tokens.light, tokens.dark)
    # One line whatever the texts hold: a subject is a header.
    return RenderedMail(" ".join(str(subject).split()), text.strip() + "\n", html)


def _spoken(content: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """The content with its moments, `{"at": µs, "zone": name}`, and its amounts as the language writes them."""
    spoken = {name: _moment(value, lang) if _is_moment(value) else value for name, value in content.items()}
    return spoken | {name: locale.amount(lang, content[name]) for name in _AMOUNTS if content.get(name)}


def _is_moment(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"at", "zone"}


def _moment(value: Mapping[str, Any], lang: str) -> str:
    seconds = value["at"] // 1_000_000
    return locale.day_or_moment(lang, dt.datetime.fromtimestamp(seconds, ZoneInfo(value["zone"])))


def _context(theme: Theme, mail: Mail) -> dict[str, Any]:
    texts = texts_of(theme, mail.lang)

    def text(key: str, /, **values: object) -> str:
        return prose.fill(texts[key], {"brand": mail.brand.name, **values})

    def said(key: str, /, **values: object) -> str:
        """A text by its key or, where there is none of that name, the English sentence itself."""
        return prose.fill(texts.get(key, key), {"brand": mail.brand.name, **values})

    return {
        "mail": mail,
        "lang": mail.lang,
        "brand": mail.brand.in_language(mail.lang),
        "content": mail.content,
        "t": text,
        "_": said,
        "color": mark,
    }
