"""The brand editor's state as its page shows it. Reads no request and asks no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from ...core.brand import BrandContent
from ...core.brand_entry import declared_settings, languages_of, setting_value, shown_values
from ...core.menu import MAX_FOOTER, MAX_MENU, NETWORKS, PAGES
from ...core.theme import COLOR_TOKENS, Failure, Tokens, exposed_tokens, failures, fonts, resolve_tokens
from ...core.times import SECOND_US
from ...db.brand_revisions import Revision
from ...flows.brand_editor import Editor
from ...theming import Library, Theme, locale
from ...theming.brand import IMAGE_PREFIX
from ...theming.console_brand import (
    COLOR_TITLES,
    BrandView,
    ChoiceRow,
    ColorRow,
    FailureRow,
    ImageRow,
    LanguageRow,
    LinkRow,
    RevisionRow,
    ThemeCard,
)
from ...theming.forms import FormProblem, FormView

IMAGES: Final[Mapping[str, tuple[str, str]]] = {
    "logo_light": (
        "Logo on light grounds",
        "Shown at the top of each page. Also on dark grounds where there is no other.",
    ),
    "logo_dark": ("Logo on dark grounds", "For the dark scheme."),
    "logo_mail": ("Logo in mails", "Left out: the logo on light grounds."),
    "favicon": ("Icon", "Square. Left out: made from the logo, or from the first letter of the name."),
    "social": ("Picture of links", "1200 × 630. Left out: drawn from name, tagline, colours and logo."),
}
_SPARE_LINKS: Final = 3
_BASE: Final = "base"


def brand_view(
    library: Library,
    editor: Editor,
    content: BrandContent,
    *,
    preview: str,
    zone: ZoneInfo,
    problems: Mapping[str, str],
    typed: Mapping[str, str],
    done: str = "",
    may_edit: bool = True,
) -> BrandView:
    """`content`: what the form leads to; `typed`: fields that are wrong, as they were typed; `problems` by field."""
    theme = theme_of(library, content)
    tokens, _ = resolve_tokens(theme.chain, _taken(content, theme))
    values = {**shown_values(content, theme.chain), **typed}
    return BrandView(
        form=FormView(values=values, problems=_problems(problems)),
        theme=theme.name,
        themes=tuple(
            ThemeCard(name, one.manifest.title, name == theme.name)
            for name, one in library.themes.items()
            if name != _BASE or theme.name == _BASE
        ),
        colors=_colors(content, theme, tokens),
        shapes=_shapes(theme, tokens),
        settings=_settings(content, theme),
        images=tuple(
            ImageRow(f"brand.images.{kind}", title, hint, _image(content.fields.get(f"brand.images.{kind}")))
            for kind, (title, hint) in IMAGES.items()
        ),
        languages=_languages(content, theme),
        menu=_links("menu", content, MAX_MENU),
        footer=_links("footer", content, MAX_FOOTER),
        networks=tuple(NETWORKS.items()),
        own_pages=tuple(PAGES),
        failures=tuple(_failure(one) for one in failures(theme.chain, _taken(content, theme))),
        preview=preview,
        seen=editor.seen,
        draft_at=_moment(editor.draft.changed_at, zone) if editor.draft else None,
        draft_by=_author(editor.draft.author) if editor.draft else "",
        number=editor.published.number if editor.published else 0,
        done=done,
        may_edit=may_edit,
    )


def theme_of(library: Library, content: BrandContent) -> Theme:
    """The content's theme; the parent of all where it is not installed any more."""
    return library.themes.get(content.theme) or library.themes[_BASE]


def revision_row(found: Revision, library: Library, zone: ZoneInfo, preview: str) -> RevisionRow:
    """A revision as the history lists it."""
    theme = library.themes.get(str(found.content["theme"])) or library.themes[_BASE]
    tokens = {key.removeprefix("brand.tokens."): value for key, value in found.content["fields"].items()}
    known = {name: value for name, value in tokens.items() if name in exposed_tokens(theme.chain)}
    origin, _, source = found.origin.partition(":")
    return RevisionRow(
        number=found.number,
        state=found.state,
        origin=origin,
        source=source,
        author=_author(found.author),
        at=_moment(found.published_at or found.changed_at, zone),
        theme=theme.manifest.title,
        name=str(found.content["fields"].get("name", "")),
        accent=resolve_tokens(theme.chain, known)[0].light["color.accent"].css,
        preview=preview,
    )


def _taken(content: BrandContent, theme: Theme) -> dict[str, Any]:
    exposed = exposed_tokens(theme.chain)
    return {name: value for name, value in content.tokens.items() if name in exposed}


def _problems(found: Mapping[str, str]) -> tuple[FormProblem, ...]:
    # Not as keys of their own: a sentence may repeat what was typed, and that is no template.
    return tuple(FormProblem(field=name, key="{text}", values={"text": text}) for name, text in found.items())


def _colors(content: BrandContent, theme: Theme, tokens: Tokens) -> tuple[ColorRow, ...]:
    exposed = exposed_tokens(theme.chain)
    return tuple(
        ColorRow(name, COLOR_TITLES[name], tokens.light[name].css, tokens.dark[name].css, name in content.tokens)
        for name in COLOR_TOKENS
        if name in exposed
    )


def _shapes(theme: Theme, tokens: Tokens) -> tuple[ChoiceRow, ...]:
    rows: list[ChoiceRow] = []
    for name in sorted(exposed_tokens(theme.chain) - set(COLOR_TOKENS)):
        now, field = tokens.plain[name], f"{name}.light"
        if name == "radius":
            rows.append(ChoiceRow(field, COLOR_TITLES[name], "text", placeholder=now))
            continue
        known = fonts(theme.chain)
        named = {key: font.family or _SYSTEM_FONTS.get(key, key) for key, font in known.items()}
        options = _DENSITIES if name == "density" else tuple(sorted(named.items(), key=lambda pair: pair[1]))
        rows.append(ChoiceRow(field, COLOR_TITLES[name], "select", (("", _AS_THEME), *options), placeholder=now))
    return tuple(rows)


_AS_THEME: Final = "The theme's own"
_DENSITIES: Final = (("cosy", "Cosy"), ("compact", "Compact"))
_SYSTEM_FONTS: Final = {
    "system": "The reader's own",
    "system-serif": "The reader's own, with serifs",
    "system-mono": "The reader's own, of one width",
}


def _settings(content: BrandContent, theme: Theme) -> tuple[ChoiceRow, ...]:
    rows: list[ChoiceRow] = []
    for name, setting in declared_settings(theme.chain).items():
        value = setting_value(content, setting, name)
        rows.append(
            ChoiceRow(
                name,
                setting.title or name.replace("_", " ").capitalize(),
                setting.type,
                tuple((option, option.replace("-", " ").capitalize()) for option in setting.options),
                image=_image(value) if setting.type == "image" else "",
                max_length=setting.max_length,
            )
        )
    return tuple(rows)


def _languages(content: BrandContent, theme: Theme) -> tuple[LanguageRow, ...]:
    chosen = languages_of(content)
    known = dict.fromkeys([*chosen, *sorted(theme.texts)])
    return tuple(LanguageRow(code, locale.language_name(code), code in chosen) for code in known)


def _links(which: str, content: BrandContent, most: int) -> tuple[LinkRow, ...]:
    count = min(most, len(content.fields.get(f"brand.{which}", ())) + _SPARE_LINKS)
    return tuple(LinkRow(f"brand.{which}.{index}.to", f"brand.{which}.{index}.title") for index in range(count))


def _failure(found: Failure) -> FailureRow:
    return FailureRow(
        field=f"{found.token}.{found.scheme}",
        title=COLOR_TITLES[found.token],
        front=COLOR_TITLES[found.fg],
        ground=COLOR_TITLES[found.bg],
        front_color=found.fg_color.css,
        ground_color=found.bg_color.css,
        scheme=found.scheme,
        ratio=f"{int(found.ratio * 100) / 100:.2f}",
        least=f"{found.least:g}",
        better=found.better.css if found.better else "",
    )


def _image(sha256: object) -> str:
    return IMAGE_PREFIX + sha256 if isinstance(sha256, str) and sha256 else ""


def _author(actor: str) -> str:
    """Who it was, without the kind of log-in."""
    return actor.partition(":")[2] or actor


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // SECOND_US, zone)
