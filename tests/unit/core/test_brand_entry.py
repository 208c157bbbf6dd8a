"""What the brand editor's form says becomes the draft, field by field; what is wrong is named and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reseller_kit import theming
from reseller_kit.core.brand import BrandContent, content_of
from reseller_kit.core.brand_entry import Entry, enter, shown_values
from reseller_kit.theming.brand import BRAND_TEXTS

LIBRARY = theming.load()
CHAIN = LIBRARY.themes["daylight"].chain
BEFORE = content_of({"name": "Aurora", "theme": "daylight", "brand.tagline": "Calm"})


def entered(sent: Mapping[str, str | list[str]], content: BrandContent = BEFORE) -> Entry:
    fields = {name: [text] if isinstance(text, str) else text for name, text in sent.items()}
    return enter(content, fields, CHAIN, BRAND_TEXTS)


def test_a_form_without_fields_changes_nothing() -> None:
    assert entered({}) == Entry(BEFORE, {})


def test_what_is_shown_is_what_a_form_says_again() -> None:
    sent: dict[str, str | list[str]] = {
        "brand.name": "Ada & Söhne {{7*7}} <b>",
        "brand.tagline": "",
        "brand.support_email": "HELP@Aurora.example",
        "brand.legal.company": "Aurora Ltd",
        "brand.texts.home.lead": "Two\r\nlines",
        "brand.translations.de.tagline": "Ruhe",
        "brand.menu.0.to": "/pricing",
        "brand.menu.1.to": "https://blog.example/a?b=c",
        "brand.menu.1.title": "“Blog” 🚀",
        "brand.social.x": "https://x.com/aurora",
        "color.accent.light": "rgb(67 56 202)",
        "color.link.dark": "#ffffff",
        "radius.light": "4px",
        "font.body.light": "inter",
        "hero_layout": "centred",
        "hero_color": "#ABCDEF",
    }
    entry = entered({**sent, "brand.locales": ["", "de", "en"], "brand.locale": "de", "show_prices": ["", "on"]})
    assert entry.problems == {}
    assert entry.content == BrandContent(
        theme="daylight",
        fields={
            "name": "Ada & Söhne {{7*7}} <b>",
            "brand.support_email": "help@aurora.example",
            "brand.legal.company": "Aurora Ltd",
            "brand.texts.home.lead": "Two\nlines",
            "brand.translations.de": {"tagline": "Ruhe"},
            "brand.locales": ["de", "en"],
            "brand.menu": [{"to": "/pricing"}, {"to": "https://blog.example/a?b=c", "title": "“Blog” 🚀"}],
            "brand.social.x": "https://x.com/aurora",
            "brand.tokens.color.accent": "#4338ca",
            "brand.tokens.color.link": {"light": "#4338ca", "dark": "#ffffff"},
            "brand.tokens.radius": "4px",
            "brand.tokens.font.body": "inter",
        },
        settings={"daylight": {"hero_layout": "centred", "hero_color": "#abcdef"}},
    )
    again = enter(entry.content, {k: [v] for k, v in shown_values(entry.content, CHAIN).items()}, CHAIN, BRAND_TEXTS)
    assert again == entry


def test_what_is_emptied_is_unset() -> None:
    full = entered(
        {"color.accent.light": "#4338ca", "brand.menu.0.to": "/faq", "hero_layout": "centred", "show_facts": ""}
    )
    assert full.content.settings["daylight"] == {"hero_layout": "centred", "show_facts": False}
    empty = entered(
        {
            "color.accent.light": "",
            "brand.menu.0.to": "",
            "hero_layout": "split",
            "show_facts": "on",
            "brand.tagline": " ",
        },
        full.content,
    )
    assert empty.content == BrandContent(theme="daylight", fields={"name": "Aurora"}, settings={"daylight": {}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("brand.name", ""),
        ("brand.name", "x" * 201),
        ("brand.name", "bell \u0007 name"),
        ("brand.support_email", "nobody"),
        ("brand.social.github", "javascript:alert(1)"),
        ("brand.legal.updated", "yesterday"),
        ("color.accent.light", "red;}"),
        ("color.accent.dark", "url(x)"),
        ("radius.light", "100vw"),
        ("font.body.light", "comic-sans"),
        ("density.light", "airy"),
        ("hero_layout", "upside-down"),
        ("hero_color", "#12345"),
        ("brand.locale", "english"),
        ("brand.menu.0.to", "//evil.example"),
        ("brand.texts.home.more", "x" * 20_001),
        ("brand.translations.de.tagline", "two\nlines"),
    ],
)
def test_one_thing_wrong_is_named_and_changes_nothing(name: str, text: str) -> None:
    entry = entered({name: text})
    assert set(entry.problems) == {name}
    assert entry.content.fields == BEFORE.fields
    assert not entry.content.settings["daylight"]


def test_a_link_elsewhere_needs_a_title() -> None:
    assert set(entered({"brand.footer.2.to": "https://a.example/"}).problems) == {"brand.footer.2.title"}
    assert set(entered({"brand.footer.2.title": "Blog"}).problems) == {"brand.footer.2.to"}


def test_marks_of_direction_and_joined_emoji_are_writing() -> None:
    entry = entered({"brand.name": "\u200fאב\u200e 👨\u200d👩\u200d👧"})
    assert entry.problems == {}


def test_settings_belong_to_the_theme_that_the_form_showed() -> None:
    entry = entered({"brand.theme": "midnight", "brand.of_theme": "daylight", "hero_layout": "centred"})
    assert entry.content.theme == "midnight"
    assert entry.content.settings == {"daylight": {"hero_layout": "centred"}}
