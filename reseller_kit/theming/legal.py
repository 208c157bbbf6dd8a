"""Which legal texts a storefront shows, each as a version that can be accepted and looked up. Renders nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from . import prose
from .brand import Brand
from .render import Library, find_theme, texts_of

DOCUMENTS: Final = ("terms", "privacy", "refunds", "acceptable_use")


class LegalText(Struct, frozen=True, kw_only=True):
    """One version of a document: `body` in Markdown, with the seller's data filled in."""

    document: str
    lang: str
    version: str
    body: str


class LegalVersion(Struct, frozen=True, kw_only=True):
    """A version that the storefront has shown, from when on."""

    version: str
    since: dt.date


class LegalView(Struct, frozen=True, kw_only=True):
    """The page of a document. `earlier`: it is not the one that holds now; `versions`: all of them, newest first."""

    text: LegalText
    since: dt.date | None = None
    earlier: bool = False
    versions: tuple[LegalVersion, ...] = ()


def legal_text(library: Library, theme: str, brand: Brand, lang: str, document: str) -> LegalText:
    """The document as the storefront shows it now: the brand's own text, or the theme's about this seller."""
    texts = texts_of(find_theme(library, theme), lang)
    own = brand.in_language(lang).texts.get(f"legal.{document}")
    body = own or _filled(texts, brand, document)
    parts: list[Any] = [body, brand.seller, brand.support_email, msgspec.to_builtins(brand.legal)]
    version = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]
    return LegalText(document=document, lang=lang, version=version, body=body)


def terms_version(library: Library, theme: str, brand: Brand, lang: str) -> str:
    """The version of the terms that the storefront shows now."""
    return legal_text(library, theme, brand, lang, "terms").version


def _filled(texts: Mapping[str, str], brand: Brand, document: str) -> str:
    country = brand.legal.country
    values = {
        "brand": brand.name,
        "seller": brand.seller,
        "contact": brand.support_email or texts["legal.mail_open"],
        "law": prose.fill(texts["legal.law"], {"country": country}) if country else texts["legal.law_open"],
    }
    return prose.fill_literally(texts[f"doc.{document}"], values)
