"""What the brand editor's form says, as a content, and a content as what the form shows. Knows no page.

A form is taken field by field: what it does not have stays as it was, what is empty is unset, and what is wrong is
named by its field and stays as it was too. Names are those of the tenant's fields (`brand.tagline`,
`brand.texts.home.title`, `brand.translations.de.home.title`, `brand.menu.0.to`), but for tokens (`color.accent.light`,
`color.accent.dark`, `radius.light`) and the theme's settings, which have their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from .brand import BrandContent
from .errors import InvalidRequest
from .manifest import texts
from .manifest.findings import Refusal
from .menu import MAX_FOOTER, MAX_MENU, NETWORKS, PAGES
from .theme import COLOR_TOKENS, Setting, ThemeManifest, exposed_tokens, fonts, parse_token, resolve_tokens

Sent = Mapping[str, Sequence[str]]
Problems = dict[str, str]
LEGAL: Final = ("company", "address", "country", "registration", "vat_id")
THEME: Final = "brand.theme"
OF_THEME: Final = "brand.of_theme"
"""Which theme's settings the form shows; another may be chosen in the same form."""
_LINKS: Final = {"menu": MAX_MENU, "footer": MAX_FOOTER}
_LINES: Final[Mapping[str, Callable[[object], Any]]] = {
    "name": texts.read_text,
    "brand.tagline": texts.read_text,
    "brand.support_email": texts.read_email,
    "brand.legal.updated": texts.read_day,
    **{f"brand.legal.{name}": texts.read_text for name in LEGAL},
    **{f"brand.social.{name}": texts.read_https_url for name in NETWORKS},
}


class Entry(msgspec.Struct, frozen=True):
    """The content that a form leads to, and what is wrong by field."""

    content: BrandContent
    problems: Problems


def declared_settings(chain: Sequence[ThemeManifest]) -> dict[str, Setting]:
    """The settings of a theme by name."""
    return {name: setting for manifest in chain for name, setting in manifest.settings.items()}


def enter(content: BrandContent, sent: Sent, chain: Sequence[ThemeManifest], names: Sequence[str]) -> Entry:
    """The content after a form. `chain`: the theme whose settings it shows; `names`: texts that a brand may give."""
    fields, problems = dict(content.fields), Problems()
    _enter_lines(fields, sent, problems)
    _enter_texts(fields, sent, names, problems)
    _enter_languages(fields, sent, problems)
    for name, most in _LINKS.items():
        _enter_links(fields, sent, name, most, problems)
    _enter_tokens(fields, sent, chain, problems)
    shown = _last(sent, OF_THEME) or content.theme
    settings = {**content.settings, shown: _entered_settings(content.settings.get(shown, {}), sent, chain, problems)}
    theme = _last(sent, THEME) or content.theme
    return Entry(BrandContent(theme=theme, fields=fields, settings=settings), problems)


def shown_values(content: BrandContent, chain: Sequence[ThemeManifest]) -> dict[str, str]:
    """What the form's fields hold for a content; a field that is not there is empty."""
    values: dict[str, str] = {}
    for key, value in content.fields.items():
        if key.startswith("brand.tokens."):
            token = key.removeprefix("brand.tokens.")
            pair = {"light": value} if isinstance(value, str) else value
            values |= {f"{token}.{scheme}": color for scheme, color in pair.items()}
        elif key.startswith("brand.translations."):
            values |= {f"{key}.{name}": text for name, text in value.items()}
        elif key in {"brand.menu", "brand.footer"}:
            for index, link in enumerate(value):
                values |= {f"{key}.{index}.to": link["to"], f"{key}.{index}.title": link.get("title") or ""}
        elif isinstance(value, str):
            values["brand.name" if key == "name" else key] = value
    values["brand.locale"] = languages_of(content)[0]
    for name, setting in declared_settings(chain).items():
        chosen = setting_value(content, setting, name)
        values[name] = ("on" if chosen else "") if isinstance(chosen, bool) else chosen
    return values


def setting_value(content: BrandContent, setting: Setting, name: str) -> str | bool:
    """What a setting of the content's theme is, found under its name or an old one."""
    chosen = content.settings.get(content.theme, {})
    found = next((chosen[key] for key in (name, *setting.aliases) if key in chosen), setting.default)
    return found if isinstance(found, str | bool) else setting.default


def languages_of(content: BrandContent) -> tuple[str, ...]:
    """The languages of the brand's pages, the default first."""
    return tuple(content.fields.get("brand.locales") or ("en",))


def _last(sent: Sent, name: str) -> str | None:
    """What was sent last under a name, as a box is sent after the hidden field that says that there is one."""
    values = sent.get(name)
    return values[-1].strip() if values else None


def _read(
    fields: dict[str, Any], key: str, text: str, read: Callable[[object], Any], problems: Problems, name: str
) -> None:
    """Set a field to what was typed, unset it where that is empty, or say what is wrong."""
    if not text:
        fields.pop(key, None)
        return
    try:
        fields[key] = read(text)
    except Refusal as refusal:
        problems[name] = f"{refusal.message} {refusal.fix}"
    except InvalidRequest as error:
        problems[name] = f"{error.message} {error.fix}"


def _enter_lines(fields: dict[str, Any], sent: Sent, problems: Problems) -> None:
    for key, read in _LINES.items():
        name = "brand.name" if key == "name" else key
        text = _last(sent, name)
        if text is None:
            continue
        if key == "name" and not text:
            problems[name] = "Give the brand a name."
            continue
        _read(fields, key, text, read, problems, name)


def _enter_texts(fields: dict[str, Any], sent: Sent, names: Sequence[str], problems: Problems) -> None:
    for name in names:
        key = f"brand.texts.{name}"
        text = _last(sent, key)
        if text is not None:
            _read(fields, key, _lines(text), texts.read_markdown, problems, key)
    prefix = "brand.translations."
    for key in [key for key in sent if key.startswith(prefix)]:
        lang, _, name = key.removeprefix(prefix).partition(".")
        if name not in (*names, "tagline") or not texts.is_locale(lang):
            continue
        words = dict(fields.get(prefix + lang, {}))
        reader = texts.read_text if name == "tagline" else texts.read_markdown
        _read(words, name, _lines(_last(sent, key) or ""), reader, problems, key)
        if words:
            fields[prefix + lang] = words
        else:
            fields.pop(prefix + lang, None)


def _lines(text: str) -> str:
    """A text with line ends of one kind, as browsers send two characters for each."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _enter_languages(fields: dict[str, Any], sent: Sent, problems: Problems) -> None:
    before = list(fields.get("brand.locales") or ["en"])
    first = _last(sent, "brand.locale") or before[0]
    others = [text.strip() for text in sent["brand.locales"] if text.strip()] if "brand.locales" in sent else before
    try:
        chosen = [texts.read_locale(lang) for lang in dict.fromkeys([first, *others])]
    except Refusal as refusal:
        problems["brand.locale"] = f"{refusal.message} {refusal.fix}"
        return
    if chosen != before:
        fields["brand.locales"] = chosen


def _enter_links(fields: dict[str, Any], sent: Sent, which: str, most: int, problems: Problems) -> None:
    key = f"brand.{which}"
    if not any(name.startswith(f"{key}.") for name in sent):
        return
    before = list(fields.get(key, ()))
    links: list[dict[str, str]] = []
    for index in range(most):
        kept = before[index] if index < len(before) else {}
        row = {part: _last(sent, f"{key}.{index}.{part}") for part in ("to", "title")}
        to, title = (kept.get(part) or "" if row[part] is None else row[part] for part in ("to", "title"))
        if not to and not title:
            continue
        link = _link(to or "", title or "", f"{key}.{index}", problems)
        links.append(kept if link is None and kept else link or {})
    links = [link for link in links if link]
    if links:
        fields[key] = links
    else:
        fields.pop(key, None)


def _link(to: str, title: str, name: str, problems: Problems) -> dict[str, str] | None:
    link: dict[str, Any] = {}
    if not to:
        problems[f"{name}.to"] = 'Say where the link leads: "/path" here, or "https://host.example/path".'
        return None
    _read(link, "to", to, texts.read_link, problems, f"{name}.to")
    _read(link, "title", title, texts.read_text, problems, f"{name}.title")
    if "to" not in link or (title and "title" not in link):
        return None
    if not title and link["to"] not in PAGES:
        problems[f"{name}.title"] = "Give the link a title."
        return None
    return link


def _enter_tokens(fields: dict[str, Any], sent: Sent, chain: Sequence[ThemeManifest], problems: Problems) -> None:
    theme_tokens = resolve_tokens(chain)[0]
    for token in sorted(exposed_tokens(chain)):
        key = f"brand.tokens.{token}"
        before = fields.get(key)
        pair = before if isinstance(before, dict) else {"light": before} if before else {}
        typed = {scheme: _last(sent, f"{token}.{scheme}") for scheme in ("light", "dark")}
        if typed == {"light": None, "dark": None}:
            continue
        found: dict[str, Any] = dict(pair)
        for scheme, text in typed.items():
            if text is not None:
                _read(found, scheme, text, _reader(token, chain), problems, f"{token}.{scheme}")
        if token in COLOR_TOKENS and "dark" in found and "light" not in found:
            found["light"] = theme_tokens.light[token].css
        value = found if "dark" in found and token in COLOR_TOKENS else found.get("light")
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = value


def _reader(token: str, chain: Sequence[ThemeManifest]) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = parse_token(token, value)
        if token.startswith("font.") and text not in fonts(chain):
            raise InvalidRequest(f"There is no font {text!r}.", fix="Choose one of the list.")
        return text

    return read


def _entered_settings(
    before: Mapping[str, Any], sent: Sent, chain: Sequence[ThemeManifest], problems: Problems
) -> dict[str, Any]:
    chosen = dict(before)
    for name, setting in declared_settings(chain).items():
        text = _last(sent, name)
        if text is None or setting.type == "image":
            continue
        for old in setting.aliases:
            chosen.pop(old, None)
        value: str | bool = text == "on" if setting.type == "boolean" else text
        if value in (setting.default, "") and value is not False:
            chosen.pop(name, None)
            continue
        _read_setting(chosen, name, setting, value=value, problems=problems)
    return chosen


def _read_setting(
    chosen: dict[str, Any], name: str, setting: Setting, *, value: str | bool, problems: Problems
) -> None:
    if isinstance(value, bool):
        if value == setting.default:
            chosen.pop(name, None)
        else:
            chosen[name] = value
    elif setting.type == "select" and value not in setting.options:
        problems[name] = "Choose one of the list."
    elif len(value) > setting.max_length:
        problems[name] = f"Write at most {setting.max_length} characters."
    elif setting.type == "color":
        _read(chosen, name, value, lambda text: parse_token("color.accent", text), problems, name)
    else:
        _read(chosen, name, value, texts.read_text, problems, name)
