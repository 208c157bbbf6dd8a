"""What a brand may change so that its colours can be read: for each contrast that fails, the nearest that passes.

The colour to change is the brand's own: of the two that lie on one another the one in front, unless only the ground
is the brand's. Its hue stays; its lightness goes to the nearest hundredth at which every rule of that colour passes.
Where no lightness of the hue passes, white or black is offered if that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .color import BLACK, WHITE, Color, contrast, lightness, nearest
from .manifest import ContrastRule, ThemeManifest
from .resolve import Scheme, Tokens, contrast_rules, resolve_tokens


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Two colours that can't be told apart well enough. `better` is what `token` may be instead, None without any."""

    fg: str
    bg: str
    scheme: Scheme
    fg_color: Color
    bg_color: Color
    ratio: float
    least: float
    token: str
    better: Color | None = None


def failures(chain: Sequence[ThemeManifest], overrides: Mapping[str, Any]) -> tuple[Failure, ...]:
    """Every rule of the theme that fails under a brand's tokens, each with a way out, in the order of the rules."""
    tokens, _ = resolve_tokens(chain, overrides)
    rules = contrast_rules(chain)
    schemes: tuple[Scheme, Scheme] = ("light", "dark")
    found = (_failure(rule, scheme, tokens, rules, overrides) for rule in rules for scheme in schemes)
    return tuple(one for one in found if one is not None)


def _failure(
    rule: ContrastRule, scheme: Scheme, tokens: Tokens, rules: Sequence[ContrastRule], overrides: Mapping[str, Any]
) -> Failure | None:
    colors = tokens.light if scheme == "light" else tokens.dark
    fg, bg = colors[rule.fg], colors[rule.bg]
    ratio = contrast(fg, bg)
    if ratio >= rule.min:
        return None
    token = rule.bg if rule.bg in overrides and rule.fg not in overrides else rule.fg
    return Failure(
        fg=rule.fg,
        bg=rule.bg,
        scheme=scheme,
        fg_color=fg,
        bg_color=bg,
        ratio=ratio,
        least=rule.min,
        token=token,
        better=_better(token, colors, rules),
    )


def _better(token: str, colors: Mapping[str, Color], rules: Sequence[ContrastRule]) -> Color | None:
    wanted = [(colors[rule.bg], rule.min) for rule in rules if rule.fg == token]
    wanted += [(colors[rule.fg], rule.min) for rule in rules if rule.bg == token]

    def passes(color: Color) -> bool:
        return all(contrast(color, other) >= least for other, least in wanted)

    found = nearest(colors[token], lightness(colors[token]), passes)
    return found or next((plain for plain in (WHITE, BLACK) if passes(plain)), None)
