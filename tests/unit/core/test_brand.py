"""A brand's content as a tenant's fields and back, and colours that can be read."""

from __future__ import annotations

import random

import msgspec
import pytest

from reseller_kit import theming
from reseller_kit.core.brand import BrandContent, changed_fields, content_of, fields_of, image_ids
from reseller_kit.core.theme import contrast, contrast_rules, exposed_tokens, failures, resolve_tokens
from reseller_kit.core.theme.manifest import Expose

LIBRARY = theming.load()
ACTUAL = {
    "name": "Aurora",
    "status": "active",
    "theme": "daylight",
    "pricing.markup": "40%",
    "brand.key_prefix": "aur",
    "brand.tagline": "Calm",
    "brand.tokens.color.accent": "#4338ca",
    "brand.settings.hero_layout": "split",
}


def test_what_is_edited_is_the_brand_alone() -> None:
    content = content_of(ACTUAL)
    assert content == BrandContent(
        theme="daylight",
        fields={"name": "Aurora", "brand.tagline": "Calm", "brand.tokens.color.accent": "#4338ca"},
        settings={"daylight": {"hero_layout": "split"}},
    )
    assert changed_fields(ACTUAL, fields_of(content, {"color.accent"}, {"hero_layout"})) == {}


def test_settings_of_other_themes_and_hidden_tokens_are_kept_but_not_published() -> None:
    content = content_of(ACTUAL, {"midnight": {"show_grid": False}, "daylight": {"hero_layout": "centred"}})
    assert content.settings == {"midnight": {"show_grid": False}, "daylight": {"hero_layout": "split"}}
    moved = BrandContent(theme="midnight", fields=content.fields, settings=content.settings)
    wanted = fields_of(moved, set(), {"show_grid"})
    assert changed_fields(ACTUAL, wanted) == {
        "theme": "midnight",
        "brand.settings.show_grid": False,
        "brand.tokens.color.accent": None,
        "brand.settings.hero_layout": None,
    }


def test_pictures_are_found_among_the_brands_own_and_the_settings() -> None:
    content = BrandContent(
        theme="x",
        fields={"brand.images.favicon": "a" * 64, "brand.tagline": "b" * 64},
        settings={"x": {"hero_image": "c" * 64, "hero_text": "no", "flag": True}},
    )
    assert image_ids(content) == {"a" * 64, "c" * 64}


def test_what_fails_names_the_brands_own_colour_and_the_nearest_that_passes() -> None:
    chain = LIBRARY.themes["daylight"].chain
    found = failures(chain, {"color.accent": {"light": "#ffd400", "dark": "#ffd400"}, "color.on_accent": "#ffffff"})
    first = next(one for one in found if one.scheme == "light" and one.fg == "color.on_accent")
    assert (first.bg, first.token, first.least) == ("color.accent", "color.on_accent", 4.5)
    assert first.better is not None
    assert contrast(first.better, first.bg_color) >= 4.5 > first.ratio


def test_a_ground_of_the_brands_is_moved_where_the_text_is_the_themes() -> None:
    root, child = LIBRARY.themes["daylight"].chain
    chain = (root, msgspec.structs.replace(child, expose=Expose(tokens="*")))
    grounds = [
        one for one in failures(chain, {"color.bg": {"light": "#777777", "dark": "#777777"}}) if one.bg == "color.bg"
    ]
    assert grounds
    assert {one.token for one in grounds} == {"color.bg"}


@pytest.mark.parametrize("theme", sorted(LIBRARY.themes))
def test_taking_every_suggestion_leads_to_a_brand_that_can_be_read(theme: str) -> None:
    chance = random.Random(theme)
    chain = LIBRARY.themes[theme].chain
    colors = sorted(name for name in exposed_tokens(chain) if name.startswith("color."))
    rules = contrast_rules(chain)
    for _ in range(25):
        brand = {name: {scheme: f"#{chance.randrange(1 << 24):06x}" for scheme in ("light", "dark")} for name in colors}
        for _ in range(len(colors) * 2):
            found = failures(chain, brand)
            if not found:
                break
            one = found[0]
            assert one.better is not None, one
            brand[one.token][one.scheme] = one.better.css
        tokens, problems = resolve_tokens(chain, brand)
        assert not problems
        for rule in rules:
            assert contrast(tokens.light[rule.fg], tokens.light[rule.bg]) >= rule.min
