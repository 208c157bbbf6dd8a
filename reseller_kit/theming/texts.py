"""Texts of themes from gettext catalogues: `locales/<language>/<domain>.po`, a msgid is a key. Renders nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from babel.messages.pofile import PoFileError, read_po

from reseller_kit.core.errors import InvalidManifest

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
        if not message.id:
            continue
        if not isinstance(message.id, str) or not isinstance(message.string, str):
            raise InvalidManifest(f"{place}: {message.id!r} has plural forms.", fix="Give it one text.")
        if message.string and not message.fuzzy:
            found[message.id] = message.string
    return found
