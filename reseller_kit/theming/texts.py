"""Texts of themes from gettext catalogues: `locales/<language>/<domain>.po`, a msgid is a key. Renders nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.pofile import PoFileError, read_po

from reseller_kit.core.errors import InvalidManifest

from .plurals import Plural

DEFAULT_LANGUAGE: Final = "en"
"""The language that every text exists in; others fall back to it key by key."""


def read_texts(folders: tuple[Path, ...]) -> dict[str, dict[str, str]]:
    """Language → key → text; a later folder's text replaces an earlier one's, empty translations are none.

    `locales/<language>/<name>.md` is the text of key `doc.<name>`. Raises InvalidManifest for a broken catalogue.
    """
    texts: dict[str, dict[str, str]] = {}
    for locales in (folder / "locales" for folder in folders):
        for file in sorted(locales.glob("*/*.po")):
            texts.setdefault(file.parent.name, {}).update(_read_catalogue(file, file.stat().st_mtime_ns))
        for file in sorted(locales.glob("*/*.md")):
            texts.setdefault(file.parent.name, {})[f"doc.{file.stem}"] = file.read_text(encoding="utf-8")
    return texts


@functools.lru_cache(maxsize=512)  # each theme reads those of its parents
def _read_catalogue(file: Path, _changed_ns: int) -> Mapping[str, str]:
    place = "/".join(file.parts[-4:])
    try:
        with file.open("rb") as stream:
            catalogue = read_po(stream, locale=None, charset="utf-8", abort_invalid=True)
    except (PoFileError, UnicodeDecodeError) as error:
        raise InvalidManifest(f"{place}: {error}", fix="Correct it.") from None
    found: dict[str, str] = {}
    for message in catalogue:
        if message.id and all(_forms(message)) and not message.fuzzy:
            key, text = _text(message, catalogue, place)
            found[key] = text
    return found


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def _text(message: Message, catalogue: Catalog, place: str) -> tuple[str, str]:
    """A message's key and text; `msgid_plural` names the placeholder whose number decides on the form."""
    if isinstance(message.id, str):
        return message.id, _forms(message)[0]
    key, by = message.id
    forms = _forms(message)
    if not any(f"{{{by}}}" in form for form in forms):
        fix = "Let msgid_plural name the placeholder whose number decides."
        raise InvalidManifest(f"{place}: no form of {key!r} shows {{{by}}}.", fix=fix)
    try:
        return key, Plural(forms, by, catalogue.plural_expr)
    except ValueError as error:
        raise InvalidManifest(f"{place}: Plural-Forms: {error}", fix="Correct it.") from None
