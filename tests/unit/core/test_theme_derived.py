from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.theme import DERIVED, Color, contrast, derived_colors, readable_on, resolve_tokens
from reseller_kit.theming.library import read_themes, themes_dir

THEMES = read_themes(themes_dir())
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ANY_COLOR = st.builds(Color, *(st.integers(0, 255) for _ in range(3)))
SLACK = 0.01  # a channel has 256 values


def colors_of(theme: str, scheme: str, accent: Color | None) -> dict[str, Color]:
    tokens, _ = resolve_tokens(THEMES[theme].chain, {} if accent is None else {"color.accent": accent.css})
    return tokens.light if scheme == "light" else tokens.dark


@pytest.mark.parametrize("theme", sorted(THEMES))
@pytest.mark.parametrize("scheme", SCHEMES)
@given(accent=st.none() | ANY_COLOR)
@settings(max_examples=20)  # each finds colours by search, in every theme and scheme
def test_what_is_derived_can_be_read_whatever_the_brands_colour(
    theme: str, scheme: Literal["light", "dark"], accent: Color | None
) -> None:
    colors = colors_of(theme, scheme, accent)
    derived = derived_colors(colors, scheme)
    assert set(derived) == set(DERIVED)
    # A brand's accent may be one that its theme finds fault with; then nothing under the pointer gets worse.
    kept = min(4.5, contrast(colors["color.accent"], colors["color.on_accent"]))
    assert contrast(derived["accent_hover"], colors["color.on_accent"]) >= kept - SLACK
    assert contrast(derived["on_bad"], colors["color.bad"]) >= 4.5
    for name, word in (("accent", "link"), ("ok", "ok"), ("warn", "warn"), ("bad", "bad")):
        own = min(4.5, contrast(colors[f"color.{word}"], colors["color.surface"]))
        assert contrast(derived[f"{name}_soft"], colors[f"color.{word}"]) >= own - SLACK
        assert contrast(derived[f"{name}_soft"], colors["color.fg"]) >= 7 - SLACK
        assert contrast(derived[f"{name}_soft"], colors["color.muted"]) >= 4.5 - SLACK
    for ground in ("color.bg", "color.surface", "color.sunken"):
        assert contrast(derived["field"], colors[ground]) >= 3 - SLACK
    for number in range(1, 5):
        tint = derived[f"tint_{number}"]
        assert contrast(tint, colors["color.fg"]) >= 7 - SLACK
        assert contrast(tint, colors["color.muted"]) >= 4.5 - SLACK
        assert (
            contrast(tint, colors["color.link"]) >= min(4.5, contrast(colors["color.link"], colors["color.bg"])) - SLACK
        )
    series = [derived[f"chart_{number}"] for number in range(1, 7)]
    assert len(set(series)) == 6
    assert all(contrast(one, colors["color.surface"]) >= 3 - SLACK for one in series)


@given(ground=ANY_COLOR)
def test_black_or_white_reads_on_any_ground(ground: Color) -> None:
    assert contrast(readable_on(ground), ground) >= 4.5
