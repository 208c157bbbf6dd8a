"""Which legal text a storefront shows, as a version that can be accepted. Renders nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from .library import Theme
from .page import Brand
from .render import Library, find_theme, texts_of


def terms_version(library: Library, theme: str, brand: Brand, lang: str) -> str:
    """A short hash of the terms as the page shows them: the text and who stands behind it."""
    shown: Theme = find_theme(library, theme)
    text = brand.texts.get("legal.terms") or texts_of(shown, lang)["doc.terms"]
    parts: list[Any] = [text, brand.seller, brand.support_email, msgspec.to_builtins(brand.legal)]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]
