"""What a reseller edits of its storefront's face, in the flat terms of a tenant's resource. Checks no value.

One content holds the settings of every theme that was ever tried, so that trying another loses nothing; published are
those of its own theme, and of the tokens those that this theme lets a brand set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct

_SETTINGS: Final = "brand.settings."
_TOKENS: Final = "brand.tokens."
_OWN: Final = (
    _TOKENS,
    "brand.texts.",
    "brand.translations.",
    "brand.legal.",
    "brand.social.",
    "brand.images.",
)
_OWN_FIELDS: Final = frozenset(
    {"name", "brand.tagline", "brand.support_email", "brand.locales", "brand.menu", "brand.footer"}
)


class BrandContent(Struct, frozen=True, kw_only=True):
    """`fields` by their dotted names, without the theme and its settings; `settings` by theme."""

    theme: str
    fields: dict[str, Any]
    settings: dict[str, dict[str, Any]] = {}

    @property
    def tokens(self) -> dict[str, Any]:
        """The brand's own tokens by name."""
        return {key.removeprefix(_TOKENS): value for key, value in self.fields.items() if key.startswith(_TOKENS)}


def content_of(fields: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]] | None = None) -> BrandContent:
    """What a tenant's fields say of its brand. `others`: settings of further themes to remember."""
    theme = str(fields["theme"])
    own = {key: value for key, value in fields.items() if _is_own(key)}
    settings = {key.removeprefix(_SETTINGS): value for key, value in fields.items() if key.startswith(_SETTINGS)}
    remembered = {name: dict(values) for name, values in (others or {}).items()}
    return BrandContent(theme=theme, fields=own, settings={**remembered, theme: settings})


def fields_of(content: BrandContent, tokens: Collection[str], settings: Collection[str]) -> dict[str, Any]:
    """The fields that a tenant has with this content. `tokens`, `settings`: names that its theme takes."""
    kept = {key: value for key, value in content.fields.items() if _fits(key, tokens)}
    chosen = content.settings.get(content.theme, {})
    own = {f"{_SETTINGS}{name}": value for name, value in chosen.items() if name in settings}
    return {"theme": content.theme, **kept, **own}


def changed_fields(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be set to get from a tenant's `actual` fields to the `wanted` ones of its brand; None unsets."""
    known = {key: value for key, value in actual.items() if _is_own(key) or key.startswith(_SETTINGS)}
    known["theme"] = actual.get("theme")
    changes = {key: value for key, value in wanted.items() if known.get(key) != value}
    return changes | {key: None for key in known if key not in wanted}


def image_ids(content: BrandContent) -> frozenset[str]:
    """The pictures that the content names, of settings as well as of the brand itself."""
    values = [value for key, value in content.fields.items() if key.startswith("brand.images.")]
    values += [value for chosen in content.settings.values() for value in chosen.values()]
    return frozenset(value for value in values if isinstance(value, str) and len(value) == 64 and value.isalnum())


def _is_own(key: str) -> bool:
    return key in _OWN_FIELDS or key.startswith(_OWN)


def _fits(key: str, tokens: Collection[str]) -> bool:
    return not key.startswith(_TOKENS) or key.removeprefix(_TOKENS) in tokens
