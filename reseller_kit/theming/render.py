"""Pages from templates: one Jinja environment for all themes. Asks nothing of database, network or clock."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any, Final

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup
from msgspec import Struct

from reseller_kit.core import menu
from reseller_kit.core.errors import NotFound

from . import guides, locale, model_code, models, prose, snippets
from .brand import Brand
from .drawings import Drawing
from .escaping import QuickOutput, escaped
from .library import STATIC_PREFIX, Asset, Theme, plugin_folders, read_themes, themes_dir
from .page import Page
from .stylesheet import Stylesheet, look
from .texts import DEFAULT_LANGUAGE

_SEPARATOR: Final = "::"


class Library(Struct, frozen=True, eq=False):
    """The installed themes and the environment that renders them."""

    themes: dict[str, Theme]
    environment: jinja2.Environment


class _Environment(jinja2.Environment):
    """Names are `theme::path`; a parent's file is `theme::!parent/path`, so that its includes are the theme's again."""

    code_generator_class = QuickOutput
    escaped = staticmethod(escaped)

    def join_path(self, template: str, parent: str) -> str:
        return template if _SEPARATOR in template else f"{parent.partition(_SEPARATOR)[0]}{_SEPARATOR}{template}"


class _Compiled(jinja2.BytecodeCache):
    """Templates that this process compiled before, for all its libraries; as many as files have been read."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


def load(*folders: Path) -> Library:
    """The themes that come with the product, those of packages, and those in `folders`.

    Raises InvalidManifest for a broken one.
    """
    themes = read_themes(themes_dir(), *plugin_folders(), *folders)

    def source(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        file = template_file(themes, name)
        return None if file is None else (file.read_text(encoding="utf-8"), str(file), lambda: True)

    environment = _Environment(
        loader=jinja2.FunctionLoader(source),
        # A mail's plain text is the one template that is no markup.
        autoescape=lambda name: name is None or not name.endswith(".txt"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
        cache_size=-1,  # bounded by the templates that are installed; names never come from a request
    )
    environment.filters |= {
        "usd": _localised(locale.amount),
        "money": _localised(locale.currency),
        "minor": _localised(locale.minor),
        "number": _localised(locale.number),
        "percent": _localised(locale.percent),
        "tokens": _localised(locale.tokens),
        "date": _localised(locale.day),
        "short_date": _localised(locale.short_day),
        "short_money": _localised(locale.short_currency),
        "figure": _localised(locale.figure),
        "duration": _localised(locale.duration),
        "local": _localised(locale.local_moment),
        "day_or_moment": _localised(locale.day_or_moment),
        "clock": _localised(locale.clock),
        "month": _localised(locale.month),
        "highlight": lambda snippet: prose.highlight(snippet.code, snippet.language),
        "markdown": prose.markdown,
    }
    return Library(themes, environment)


def template_file(themes: dict[str, Theme], name: str) -> Path | None:
    """The file behind a full template name, or None."""
    theme_name, _, path = name.partition(_SEPARATOR)
    theme = themes.get(theme_name)
    if theme is None:
        return None
    start = None
    if path.startswith("!"):
        start, _, path = path[1:].partition("/")
    return theme.find(f"templates/{path}", start)


def render(library: Library, theme: str, template: str, page: Page) -> str:
    """The HTML of a page, such as `render(library, "daylight", "storefront/pricing.html", page)`.

    Raises NotFound for a theme or template that is not installed.
    """
    chosen = find_theme(library, theme)
    try:
        found = library.environment.get_template(f"{theme}{_SEPARATOR}{template}")
    except jinja2.TemplateNotFound:
        raise NotFound(f"Theme {theme} has no template {template}.") from None
    return found.render(_context(chosen, page))


def stylesheet(library: Library, theme: str, brand: Brand) -> Stylesheet:
    """The one style sheet of a brand's pages; its hash changes with the theme's files and the brand's tokens."""
    return look(find_theme(library, theme), brand).stylesheet


def icon(library: Library, theme: str, brand: Brand) -> Asset:
    """The brand's favicon, served for ever as `/theme/<hash>.svg`."""
    return look(find_theme(library, theme), brand).icon


def drawing(library: Library, theme: str, brand: Brand, url: str) -> Drawing | None:
    """What to draw for a URL of the brand's, or None."""
    return next((one for one in look(find_theme(library, theme), brand).drawings if one.url == url), None)


def web_manifest(library: Library, theme: str, brand: Brand) -> Asset:
    """The brand's web manifest, served for ever as `/theme/<hash>.webmanifest`."""
    return look(find_theme(library, theme), brand).web_manifest


def asset(library: Library, theme: str, path: str) -> Asset | None:
    """A static file by what follows `/theme/static/` in its URL, or None; a wrong hash is no file."""
    assets = find_theme(library, theme).assets.values()
    return next((file for file in assets if file.url == STATIC_PREFIX + path), None)


def theme_file(library: Library, theme: str, path: str) -> bytes:
    """A static file of a theme by its path; nothing for one that it has not."""
    found = find_theme(library, theme).assets.get(path)
    return b"" if found is None else found.body


def find_theme(library: Library, name: str) -> Theme:
    """An installed theme. Raises NotFound, naming those there are."""
    theme = library.themes.get(name)
    if theme is None:
        raise NotFound(f"There is no theme {name!r}.", fix=f"Installed are {', '.join(library.themes)}.")
    return theme


@functools.lru_cache(maxsize=256)
def texts_of(theme: Theme, lang: str) -> Mapping[str, str]:
    """The theme's texts in a language, each that it lacks in the default one."""
    return MappingProxyType({**theme.texts_in(DEFAULT_LANGUAGE), **theme.texts_in(lang)})


def _context(theme: Theme, page: Page) -> dict[str, Any]:
    brand = page.brand.in_language(page.lang)
    texts = texts_of(theme, page.lang)
    face = look(theme, page.brand)
    drawn = {one.kind: one.url for one in face.drawings}

    def text(key: str, /, **values: object) -> str:
        return prose.fill(texts[key], {"brand": brand.name, **values})

    def said(key: str, /, **values: object) -> str:
        """A text by its key or, where there is none of that name, the English sentence itself."""
        return prose.fill(texts.get(key, key), {"brand": brand.name, **values})

    def document(key: str, /, **values: object) -> Markup:
        return prose.fill_markdown(texts[key], {"brand": brand.name, **values})

    return {
        "page": page,
        "lang": page.lang,
        "brand": brand,
        "own_pages": menu.PAGES,
        "settings": face.settings,
        "tokens": face.tokens,
        "t": text,
        "_": said,
        "document": document,
        "asset": lambda path: theme.assets[path].url,
        "scripts": [theme.assets[path].url for manifest in theme.chain for path in manifest.assets.js],
        "stylesheet_url": face.stylesheet.url,
        "favicon": (drawn["icon"], "image/png") if face.drawings[0].picture else (face.icon.url, "image/svg+xml"),
        "touch_icon_url": drawn["touch"],
        "card_url": page.brand.social_url or drawn["card"],
        "web_manifest_url": face.web_manifest.url,
        "font_urls": face.preloads,
        "snippets": snippets,
        "guides": guides,
        "models": models,
        "model_code": model_code,
    }


def _localised(write: Callable[..., str]) -> Callable[..., str]:
    """A filter that writes in the language of the page or mail."""

    @jinja2.pass_context
    def written(context: jinja2.runtime.Context, value: Any, *arguments: Any, **named: Any) -> str:
        return write(context["lang"], value, *arguments, **named)

    return written
