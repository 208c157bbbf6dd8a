"""A theme under a brand: one style sheet, the icon and the web manifest. Writes only values that were parsed."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.theme import (
    Color,
    Font,
    SettingValue,
    Tokens,
    derived_colors,
    fonts,
    parse_color,
    readable_on,
    resolve_settings,
    resolve_tokens,
)

from . import stand_ins
from .brand import Brand
from .drawings import Drawing, drawings
from .library import Asset, Theme, content_hash

# Behind each vendored font, which is Latin, stand those that systems have for Chinese and Arabic.
_STACKS: Final = {
    "sans": 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei",'
    '"Noto Sans CJK SC","Geeza Pro","Noto Sans Arabic",sans-serif',
    "serif": '"Iowan Old Style","Palatino Linotype",Palatino,Georgia,"Songti SC",SimSun,"Noto Serif CJK SC",'
    '"Geeza Pro","Noto Naskh Arabic",serif',
    "mono": 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace',
}
_LOOKED_AT: Final = ("name", "slug", "tagline", "tokens", "settings", "images")
"""What of a brand shows in its look."""
_DENSITY: Final = {"cosy": "1", "compact": "0.8"}
_LATIN: Final = (
    "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,U+2122,"
    "U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD"
)
_COMMENT_OR_STRING: Final = re.compile(r"/\*.*?\*/|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")
_AROUND: Final = re.compile(r" ?([{};,]) ?")


class Stylesheet(Struct, frozen=True):
    """The CSS of a theme under a brand. It is served for ever as `/theme/<hash>.css`."""

    hash: str
    css: bytes

    @property
    def url(self) -> str:
        """Its public path."""
        return f"/theme/{self.hash}.css"


class Look(Struct, frozen=True):
    """Everything that a theme under a brand comes to, built once.

    `fonts` are the URLs of all vendored fonts in use, `preloads` of those that a page begins with. `icon` is the
    brand's letter; a page shows it unless the brand has a picture.
    """

    tokens: Tokens
    stylesheet: Stylesheet
    icon: Asset
    web_manifest: Asset
    drawings: tuple[Drawing, ...]
    settings: dict[str, SettingValue]
    fonts: tuple[str, ...]
    preloads: tuple[str, ...]


def look(theme: Theme, brand: Brand) -> Look:
    """The brand's look in a theme, from memory after the first time: tokens, settings and the files made of them.

    The sheet holds fonts, tokens in both schemes, then each style sheet of the chain in a cascade layer of its own.
    Raises InvalidManifest when a style sheet that a manifest names is missing.
    """
    face = {name: getattr(brand, name) for name in _LOOKED_AT}
    return _look(theme, msgspec.json.encode(face, order="sorted"))


@functools.lru_cache(maxsize=1024)
def _look(theme: Theme, face: bytes) -> Look:
    brand = msgspec.json.decode(face, type=Brand)
    tokens, _ = resolve_tokens(theme.chain, brand.tokens)
    settings, _ = resolve_settings(theme.chain, brand.settings)
    css = _sheet(theme, tokens, settings).encode()
    favicon = _icon(tokens, brand.initial)
    fonts_used = _font_urls(theme, tokens, ("font.display", "font.body", "font.mono"))
    drawn = drawings(theme, brand, tokens.light, _font(theme, tokens, "font.display"))
    return Look(
        tokens=tokens,
        stylesheet=Stylesheet(content_hash(css), css),
        icon=favicon,
        web_manifest=_web_manifest(tokens, brand.name, favicon, drawn),
        drawings=drawn,
        settings=settings,
        fonts=fonts_used,
        preloads=_font_urls(theme, tokens, ("font.display", "font.body")),
    )


def _font_urls(theme: Theme, tokens: Tokens, names: Iterable[str]) -> tuple[str, ...]:
    files = (_font(theme, tokens, name).file for name in names)
    return tuple(dict.fromkeys(theme.assets[file].url for file in files if file in theme.assets))


def _icon(tokens: Tokens, initial: str) -> Asset:
    """The brand's first letter or digit on its accent colour."""
    body = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="14" fill="{tokens.light["color.accent"].css}"/>'
        '<text x="32" y="45" text-anchor="middle" font-family="system-ui,sans-serif" font-size="38" font-weight="700" '
        f'fill="{tokens.light["color.on_accent"].css}">{html.escape(initial)}</text></svg>'
    ).encode()
    return Asset(f"/theme/{content_hash(body)}.svg", "image/svg+xml", body)


def _web_manifest(tokens: Tokens, name: str, favicon: Asset, drawn: tuple[Drawing, ...]) -> Asset:
    """What a phone needs to put the storefront on its home screen (W3C, Web Application Manifest)."""
    icons = [{"src": favicon.url, "sizes": "any", "type": favicon.content_type}]
    apps = [one for one in drawn if one.kind == "app"]
    icons = ([] if apps[0].picture else icons) + [
        {"src": one.url, "sizes": f"{one.size}x{one.size}", "type": "image/png"} for one in apps
    ]
    body = msgspec.json.encode(
        {
            "name": name,
            "short_name": name[:30],
            "start_url": "/",
            "scope": "/",
            "display": "minimal-ui",
            "background_color": tokens.light["color.bg"].css,
            "theme_color": tokens.light["color.accent"].css,
            "icons": icons,
        }
    )
    return Asset(f"/theme/{content_hash(body)}.webmanifest", "application/manifest+json", body)


def _sheet(theme: Theme, tokens: Tokens, settings: Mapping[str, SettingValue]) -> str:
    layers = [manifest.name for manifest in theme.chain]
    parts = [
        f"@layer {','.join(layers)};",
        _font_faces(theme, tokens),
        _token_rules(theme, tokens),
        _setting_rules(theme, settings),
    ]
    for manifest, folder in zip(theme.chain, theme.folders, strict=True):
        for name in manifest.assets.css:
            try:
                source = (folder / "static" / name).read_text(encoding="utf-8")
            except OSError:
                fix = "Add it or drop it from [assets]."
                raise InvalidManifest(f"{theme.name}: static/{name} is missing.", fix=fix) from None
            parts.append(f"@layer {manifest.name}{{{minify(source)}}}")
    return "\n".join(parts)


def minify(css: str) -> str:
    """CSS without comments and needless white space; strings stay as they are."""
    strings: list[str] = []

    def keep(match: re.Match[str]) -> str:
        if match[1] is None:
            return " "
        strings.append(match[1])
        return f"\0{len(strings) - 1}\0"

    bare = _AROUND.sub(r"\1", _SPACE.sub(" ", _COMMENT_OR_STRING.sub(keep, css))).replace(";}", "}")
    return re.sub("\0(\\d+)\0", lambda match: strings[int(match[1])], bare).strip()


def _font(theme: Theme, tokens: Tokens, name: str) -> Font:
    """The font that a token names; one that the theme does not offer falls back to the reader's own."""
    return fonts(theme.chain).get(tokens.plain[name], Font(fallback="mono" if name == "font.mono" else "sans"))


def _font_faces(theme: Theme, tokens: Tokens) -> str:
    used = {
        font.file: font for font in (_font(theme, tokens, name) for name in ("font.body", "font.display", "font.mono"))
    }
    return "".join(
        f'@font-face{{font-family:"{font.family}";font-style:normal;font-weight:{font.weights};font-display:swap;'
        f'src:url("{theme.assets[file].url}") format("woff2");unicode-range:{_LATIN}}}{stand_ins.faces(font, _LATIN)}'
        for file, font in used.items()
        if file in theme.assets
    )


def _token_rules(theme: Theme, tokens: Tokens) -> str:
    plain = {
        "--radius": tokens.plain["radius"],
        "--density": _DENSITY[tokens.plain["density"]],
        **{_variable(name): _stack(_font(theme, tokens, name)) for name in ("font.body", "font.display", "font.mono")},
    }
    light, dark = _color_rules(tokens.light, "light"), _color_rules(tokens.dark, "dark")
    return (
        f":root{{{_declarations(plain)}}}{_arabic_rules(theme, tokens)}"
        f":root,:root[data-scheme=light]{{{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-scheme=light]){{{dark}}}}}"
        f":root[data-scheme=dark]{{{dark}}}"
        f"@media print{{:root:root:root{{{light}}}}}"
    )


def _arabic_rules(theme: Theme, tokens: Tokens) -> str:
    """Arabic beside a vendored font of one width is set as running text: letters of one width tear its words apart."""
    named = {name: _font(theme, tokens, name) for name in ("font.display", "font.mono")}
    stacks = {
        _variable(name): ",".join([*(f'"{family}"' for family in _own(font)), _STACKS["sans"]])
        for name, font in named.items()
        if font.fallback == "mono" and font.family
    }
    return f":root:is(:lang(ar),:lang(fa),:lang(ur)){{{_declarations(stacks)}}}" if stacks else ""


def _setting_rules(theme: Theme, settings: Mapping[str, SettingValue]) -> str:
    """Each colour that a setting chose as `--setting-<name>`, and black or white to write on it as `…-on`."""
    declared = {name: setting for manifest in theme.chain for name, setting in manifest.settings.items()}
    values: dict[str, str] = {}
    for name, value in settings.items():
        if declared[name].type == "color" and value:
            color = parse_color(value)
            variable = _variable(f"setting.{name}")
            values |= {variable: color.css, f"{variable}-on": readable_on(color).css}
    return f":root{{{_declarations(values)}}}" if values else ""


def _color_rules(colors: Mapping[str, Color], scheme: Literal["light", "dark"]) -> str:
    values = {_variable(name): color.css for name, color in colors.items()}
    values |= {_variable(f"color.{name}"): color.css for name, color in derived_colors(colors, scheme).items()}
    return f"color-scheme:{scheme};" + _declarations(values)


def _stack(font: Font) -> str:
    return ",".join([*(f'"{family}"' for family in _own(font)), _STACKS[font.fallback]])


def _own(font: Font) -> tuple[str, ...]:
    """The vendored family and what stands in for it."""
    return (font.family, *stand_ins.families(font)) if font.family else ()


def _variable(token: str) -> str:
    return "--" + token.replace(".", "-").replace("_", "-")


def _declarations(values: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in values.items())
