"""theme.toml as typed values, and the closed set of token names. Reads no file and trusts no text in a value."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from reseller_kit.core.errors import InvalidManifest, InvalidRequest

from .color import parse_color

COLOR_TOKENS: Final = (
    "color.bg",
    "color.surface",
    "color.sunken",
    "color.fg",
    "color.muted",
    "color.line",
    "color.accent",
    "color.on_accent",
    "color.link",
    "color.ok",
    "color.warn",
    "color.bad",
    "color.code_bg",
    "color.code_fg",
    "color.code_comment",
    "color.code_keyword",
    "color.code_string",
)
FONT_TOKENS: Final = ("font.body", "font.display", "font.mono")
LENGTH_TOKENS: Final = ("radius",)
DENSITIES: Final = ("cosy", "compact")
TOKENS: Final = frozenset({*COLOR_TOKENS, *FONT_TOKENS, *LENGTH_TOKENS, "density"})
"""Every token a theme gives a value to and a brand may override if the theme exposes it."""

MAX_LEVELS: Final = 3
THEME_NAME: Final = r"^[a-z][a-z0-9-]{0,39}$"
_FONT_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_LENGTH: Final = re.compile(r"(\d{1,2})(?:\.(\d{1,3}))?(px|rem)", re.ASCII)
_MAX_LENGTH: Final = {"px": 48, "rem": 3}
_REQUIREMENT: Final = re.compile(r"\s*(>=|<=|==|>|<)\s*(\d{1,4}(?:\.\d{1,4}){0,2})\s*", re.ASCII)

Name = Annotated[str, Meta(pattern=THEME_NAME)]
SettingName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ThemePath = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*$", max_length=200)]
SettingValue = str | bool


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token's value in the light and in the dark scheme, as written."""

    light: str
    dark: str


class ContrastRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two colour tokens that lie on one another and the ratio they must reach in both schemes."""

    fg: str
    bg: str
    min: Annotated[float, Meta(ge=1, le=21)] = 4.5


class FontMetrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A font's measures in em: reach above and below the baseline, mean width of a letter at weights 400 and 650."""

    ascent: Annotated[float, Meta(gt=0, le=3)]
    descent: Annotated[float, Meta(ge=0, le=3)]
    widths: tuple[Annotated[float, Meta(gt=0, le=3)], Annotated[float, Meta(gt=0, le=3)]]


class Font(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A font family: a vendored file under `static/`, or the reader's own fonts when `file` is absent.

    With `metrics`, a reader's own font stands in for it without moving anything until it arrives.
    """

    fallback: Literal["sans", "serif", "mono"]
    family: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{0,39}$")] | None = None
    file: ThemePath | None = None
    weights: Annotated[str, Meta(pattern=r"^[1-9]00 [1-9]00$")] = "400 700"
    metrics: FontMetrics | None = None


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A typed choice that the brand editor draws and templates read as `settings.<name>`."""

    type: Literal["select", "boolean", "text", "color", "image"]
    default: SettingValue
    title: str = ""
    options: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    max_length: Annotated[int, Meta(ge=1, le=2000)] = 200


class Expose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a brand may override: lists of names, or all."""

    tokens: tuple[str, ...] | Literal["*"] = ()
    settings: tuple[str, ...] | Literal["*"] = ()


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Upper limits in kB of 1,000 bytes: the whole stylesheet, all scripts, all own images."""

    css: Annotated[int, Meta(ge=0, le=1000)] = 30
    js: Annotated[int, Meta(ge=0, le=1000)] = 0
    images: Annotated[int, Meta(ge=0, le=10_000)] = 300


class Assets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files under `static/` that every page gets, after the parent's, and what all files may weigh."""

    css: tuple[ThemePath, ...] = ()
    js: tuple[ThemePath, ...] = ()
    budget_kb: Budget = Budget()


class ThemeManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One theme.toml."""

    schema: Literal[1]
    name: Name
    title: Annotated[str, Meta(min_length=1, max_length=80)]
    version: Annotated[str, Meta(pattern=r"^\d{1,4}\.\d{1,4}\.\d{1,4}$")]
    license: str
    extends: Name | None = None
    requires: str = ">=0.1"
    tokens: dict[str, str | Pair] = {}
    contrast: tuple[ContrastRule, ...] = ()
    settings: dict[SettingName, Setting] = {}
    expose: Expose = Expose()
    assets: Assets = Assets()
    fonts: dict[Name, Font] = {}


def decode_manifest(text: str, name: str) -> ThemeManifest:
    """The text of a theme.toml to its Struct. `name` is for messages.

    Raises InvalidManifest when it is no TOML, a key is unknown, missing or of the wrong type.
    """
    try:
        return msgspec.convert(tomllib.loads(text), ThemeManifest)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidManifest(
            f"{name}/theme.toml: {error}", fix="Compare it with the reference of theme.toml."
        ) from None


def parse_token(name: str, value: object) -> str:
    """A token's value in canonical form: `#rrggbb`, `10px`, `1.5rem`, a font id or a density.

    Raises InvalidRequest for an unknown name and for any value that is not of the token's kind, so that what is
    returned never holds a character that could end a CSS declaration.
    """
    if name in COLOR_TOKENS:
        return parse_color(value).css
    if name in LENGTH_TOKENS:
        return _parse_length(value)
    if name in FONT_TOKENS:
        if isinstance(value, str) and _FONT_ID.fullmatch(value):
            return value
        raise InvalidRequest(f"{value!r} is not the id of a font.", fix='Give an id such as "inter".')
    if name == "density":
        if value in DENSITIES:
            return str(value)
        raise InvalidRequest(f"{value!r} is not a density.", fix='Give "cosy" or "compact".')
    raise InvalidRequest(f"There is no token {name!r}.", fix=f"The tokens are {', '.join(sorted(TOKENS))}.")


def satisfies(requirement: str, version: str) -> bool:
    """Whether `version` ("0.1.0") meets `requirement` (">=0.1, <2"). Raises InvalidRequest for a malformed one."""
    return all(_compare(part, version) for part in requirement.split(","))


def _compare(part: str, version: str) -> bool:
    match = _REQUIREMENT.fullmatch(part)
    if match is None:
        raise InvalidRequest(f"{part!r} is not a version requirement.", fix='Write it like ">=0.1" or ">=0.1, <2".')
    have, want = _release(version), _release(match[2])
    checks: dict[str, bool] = {
        ">=": have >= want,
        "<=": have <= want,
        "==": have == want,
        ">": have > want,
        "<": have < want,
    }
    return checks[match[1]]


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _parse_length(value: Any) -> str:
    match = _LENGTH.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) > _MAX_LENGTH[match[3]]:
        raise InvalidRequest(
            f"{value!r} is not a length.", fix='Write it as "10px" (at most 48px) or "0.5rem" (at most 3rem).'
        )
    decimals = (match[2] or "").rstrip("0")
    return f"{int(match[1])}{'.' + decimals if decimals else ''}{match[3]}"
