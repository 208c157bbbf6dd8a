"""A theme's tokens and settings under a brand's overrides. Never refuses to answer: what is wrong is listed beside it.

**The dark value of a single light one.** A brand that gives one colour gives its light value. The dark value keeps
the hue (OKLCH) and moves the lightness to the nearest hundredth at which every contrast rule of the theme passes
whose other side is settled. Where the search starts depends on the token:

| tokens                           | search starts at                                | must also reach        |
| -------------------------------- | ----------------------------------------------- | ---------------------- |
| bg, surface, sunken, code_bg     | the darker of L and 1 − L, within 0.14 and 0.25 |                        |
| accent                           | L                                               | 3 : 1 against color.bg |
| on_accent                        | L                                               |                        |
| all others (text, lines, states) | the lighter of L and 1 − L                      |                        |

Grounds are settled first, then the accent, then the rest, so each search meets known neighbours. If no lightness
passes, the light value stays and the finding says so.

**What follows the accent.** A brand that sets `color.accent` alone need not know about the colours that touch it:
`color.on_accent` keeps the theme's value if that passes on the new accent, else becomes white or black, whichever
contrasts more; `color.link` becomes the accent, moved in each scheme until it reads as text.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from reseller_kit.core.errors import InvalidRequest

from .color import BLACK, WHITE, Color, contrast, lightness, nearest, parse_color
from .manifest import COLOR_TOKENS, TOKENS, ContrastRule, Font, Pair, Setting, SettingValue, ThemeManifest, parse_token

Scheme = Literal["light", "dark"]
_SCHEMES: Final[tuple[Scheme, Scheme]] = ("light", "dark")
_GROUNDS: Final = ("color.bg", "color.surface", "color.sunken", "color.code_bg")
_FOLLOWERS: Final = ("color.on_accent", "color.link")
_DARK_GROUND: Final = (0.14, 0.25)
_ACCENT_ON_GROUND: Final = 3.0


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with a theme's or a brand's value. `path` is its place, such as ("tokens", "color.accent")."""

    rule: Literal["unknown", "value", "exposed", "missing", "contrast"]
    path: tuple[str, ...]
    message: str
    fix: str


class Tokens(msgspec.Struct, frozen=True):
    """Every token's value in canonical text, complete and safe to write into CSS."""

    light: dict[str, Color]
    dark: dict[str, Color]
    plain: dict[str, str]


def resolve_tokens(
    chain: Sequence[ThemeManifest], overrides: Mapping[str, Any] | None = None
) -> tuple[Tokens, tuple[Problem, ...]]:
    """The tokens of a theme and its parents (`chain`, the root first) under a brand's `overrides`, and what is wrong.

    An override is a string, or for colours `{"light": …, "dark": …}`. One that is unknown, not exposed or malformed
    is left out and listed, as are contrast rules that fail in the end.
    """
    problems: list[Problem] = []
    theme: dict[str, str | Pair] = {}
    for manifest in chain:
        theme.update(_valid(manifest.tokens, TOKENS, problems))
    problems += [
        Problem("missing", ("tokens", name), f"No theme of the chain sets {name}.", "Set it, or extend base.")
        for name in sorted(TOKENS - theme.keys())
    ]
    brand = _valid(_as_pairs(overrides or {}, problems), exposed_tokens(chain), problems)
    plain = {
        name: value for name, value in {**theme, **brand}.items() if isinstance(value, str) and name not in COLOR_TOKENS
    }
    rules = contrast_rules(chain)
    light, dark = _colors(theme, brand, rules)
    tokens = Tokens(light=light, dark=dark, plain=plain)
    return tokens, (*problems, *_contrast_problems(tokens, rules))


def exposed_tokens(chain: Sequence[ThemeManifest]) -> frozenset[str]:
    """The tokens that a brand may override: what any theme of the chain exposes."""
    names: set[str] = set()
    for manifest in chain:
        names.update(TOKENS if manifest.expose.tokens == "*" else manifest.expose.tokens)
    return frozenset(names & TOKENS)


def contrast_rules(chain: Sequence[ThemeManifest]) -> tuple[ContrastRule, ...]:
    """The rules of the chain. A child may add pairs and ask for more of a pair, never for less."""
    strictest: dict[tuple[str, str], ContrastRule] = {}
    for rule in (rule for manifest in chain for rule in manifest.contrast):
        known = strictest.get((rule.fg, rule.bg))
        if known is None or rule.min > known.min:
            strictest[rule.fg, rule.bg] = rule
    return tuple(strictest.values())


def fonts(chain: Sequence[ThemeManifest]) -> dict[str, Font]:
    """The fonts that the chain offers, by id."""
    return {name: font for manifest in chain for name, font in manifest.fonts.items()}


def resolve_settings(
    chain: Sequence[ThemeManifest], values: Mapping[str, Any] | None = None
) -> tuple[dict[str, SettingValue], tuple[Problem, ...]]:
    """The settings of a theme with a brand's `values`, found under their names or old names, and what is wrong."""
    declared = {name: setting for manifest in chain for name, setting in manifest.settings.items()}
    names = {alias: name for name, setting in declared.items() for alias in (*setting.aliases, name)}
    result = {name: setting.default for name, setting in declared.items()}
    problems: list[Problem] = []
    for key, value in (values or {}).items():
        name = names.get(key)
        if name is None:
            problems.append(_unknown("setting", ("settings", key), key, names))
        elif not _fits(declared[name], value):
            fix = _setting_fix(declared[name])
            problems.append(Problem("value", ("settings", key), f"{value!r} does not fit setting {name}.", fix))
        else:
            result[name] = value
    return result, tuple(problems)


def setting_default_fits(setting: Setting) -> bool:
    """Whether a setting's own default is a value that it would accept."""
    return setting.default == "" or _fits(setting, setting.default)


def _fits(setting: Setting, value: object) -> bool:
    if setting.type == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, str) or len(value) > setting.max_length:
        return False
    if setting.type == "select":
        return value in setting.options
    if setting.type == "image":
        return value.isalnum() and value.isascii()
    if setting.type == "color":
        return _parsed("color.accent", value) is not None
    return True


def _setting_fix(setting: Setting) -> str:
    if setting.type == "select":
        return f"Give one of {', '.join(setting.options)}."
    return f"It is of type {setting.type}, at most {setting.max_length} characters."


def _parsed(name: str, value: object) -> str | None:
    try:
        return parse_token(name, value)
    except InvalidRequest:
        return None


def _as_pairs(overrides: Mapping[str, Any], problems: list[Problem]) -> dict[str, str | Pair]:
    """A brand's raw values: strings as they are, tables as pairs; anything else is listed."""
    values: dict[str, str | Pair] = {}
    for name, value in overrides.items():
        try:
            values[name] = msgspec.convert(value, str | Pair)
        except msgspec.ValidationError:
            fix = 'Give a string, or { light = "…", dark = "…" } for a colour.'
            problems.append(Problem("value", ("tokens", name), f"{value!r} is no value of a token.", fix))
    return values


def _valid(values: Mapping[str, str | Pair], allowed: frozenset[str], problems: list[Problem]) -> dict[str, str | Pair]:
    """The values that are known, allowed and well-formed, in canonical text; the rest is listed."""
    kept: dict[str, str | Pair] = {}
    for name, value in values.items():
        path = ("tokens", name)
        if name not in TOKENS:
            problems.append(_unknown("token", path, name, TOKENS))
        elif name not in allowed:
            fix = f"A brand may set {', '.join(sorted(allowed)) or 'no token'}."
            problems.append(Problem("exposed", path, f"The theme does not let a brand set {name}.", fix))
        else:
            try:
                kept[name] = _canonical(name, value)
            except InvalidRequest as error:
                problems.append(Problem("value", path, error.message, error.fix))
    return kept


def _canonical(name: str, value: str | Pair) -> str | Pair:
    if isinstance(value, str):
        return parse_token(name, value)
    if name not in COLOR_TOKENS:
        raise InvalidRequest(f"{name} has one value for both schemes.", fix=f'Write {name} = "…".')
    return Pair(light=parse_token(name, value.light), dark=parse_token(name, value.dark))


def _unknown(kind: str, path: tuple[str, ...], name: str, known: Iterable[str]) -> Problem:
    close = difflib.get_close_matches(name, list(known), n=1)
    fix = f"Did you mean {close[0]}?" if close else f"The {kind}s are {', '.join(sorted(known)) or 'none'}."
    return Problem("unknown", path, f"There is no {kind} {name!r}.", fix)


def _colors(
    theme: Mapping[str, str | Pair], brand: Mapping[str, str | Pair], rules: Sequence[ContrastRule]
) -> tuple[dict[str, Color], dict[str, Color]]:
    """Both schemes: the theme's pairs, over them the brand's, then everything that is derived."""
    light: dict[str, Color] = {}
    dark: dict[str, Color] = {}
    derive: list[str] = []
    for name in _in_order({**theme, **brand}):
        value = brand.get(name, theme.get(name))
        if isinstance(value, Pair):
            light[name], dark[name] = parse_color(value.light), parse_color(value.dark)
        elif isinstance(value, str):
            light[name] = parse_color(value)
            derive.append(name)
    follows = "color.accent" in brand
    followers = {name for name in _FOLLOWERS if follows and name not in brand}
    if follows:
        _follow_accent(light, brand, rules)
    for name in derive:
        settled = {other: color for other, color in dark.items() if not (name == "color.accent" and other in followers)}
        dark[name] = _dark_value(name, light[name], settled, rules)
    if follows:
        _follow_accent(dark, brand, rules)
    return light, dark


def _in_order(names: Iterable[str]) -> list[str]:
    """Colour tokens in the order in which they are settled: grounds, accent, the rest."""
    ranks = dict.fromkeys(_GROUNDS, 0) | {"color.accent": 1}
    return sorted((name for name in names if name in COLOR_TOKENS), key=lambda name: (ranks.get(name, 2), name))


def _follow_accent(colors: dict[str, Color], brand: Mapping[str, str | Pair], rules: Sequence[ContrastRule]) -> None:
    accent = colors["color.accent"]
    if "color.on_accent" not in brand:
        passes = _passes("color.on_accent", colors, rules)
        kept = colors.get("color.on_accent", WHITE)
        colors["color.on_accent"] = kept if passes(kept) else max(WHITE, BLACK, key=lambda ink: contrast(ink, accent))
    if "color.link" not in brand:
        colors["color.link"] = nearest(accent, lightness(accent), _passes("color.link", colors, rules)) or accent


def _dark_value(name: str, light: Color, dark: Mapping[str, Color], rules: Sequence[ContrastRule]) -> Color:
    own = lightness(light)
    start = max(own, 1 - own)
    if name in _GROUNDS:
        start = min(max(min(own, 1 - own), _DARK_GROUND[0]), _DARK_GROUND[1])
    elif name in ("color.accent", "color.on_accent"):
        start = own
    return nearest(light, start, _passes(name, dark, rules)) or light


def _passes(name: str, colors: Mapping[str, Color], rules: Sequence[ContrastRule]) -> Callable[[Color], bool]:
    """Whether a colour for `name` meets the rules whose other side is settled."""
    wanted = [(colors[rule.bg], rule.min) for rule in rules if rule.fg == name and rule.bg in colors]
    wanted += [(colors[rule.fg], rule.min) for rule in rules if rule.bg == name and rule.fg in colors]
    if name == "color.accent" and "color.bg" in colors:
        wanted.append((colors["color.bg"], _ACCENT_ON_GROUND))
    return lambda color: all(contrast(color, other) >= least for other, least in wanted)


def _contrast_problems(tokens: Tokens, rules: Sequence[ContrastRule]) -> list[Problem]:
    found: list[Problem] = []
    for rule in rules:
        for scheme in _SCHEMES:
            colors = tokens.light if scheme == "light" else tokens.dark
            if rule.fg not in colors or rule.bg not in colors:
                continue
            ratio = contrast(colors[rule.fg], colors[rule.bg])
            if ratio < rule.min:
                message = (
                    f"{rule.fg} {colors[rule.fg].css} on {rule.bg} {colors[rule.bg].css} has contrast {_floor2(ratio)} "
                    f"in the {scheme} scheme; {rule.min:g} is needed."
                )
                fix = f"Move {rule.fg} away from {rule.bg} in lightness."
                found.append(Problem("contrast", ("tokens", rule.fg, scheme), message, fix))
    return found


def _floor2(ratio: float) -> str:
    """Two decimals, cut rather than rounded, so that a failing 4.499 does not read as 4.5."""
    return f"{int(ratio * 100) / 100:.2f}"
