"""A brand's pictures, links and words by language, on pages and in mails of every theme."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec import structs

from reseller_kit import theming
from reseller_kit.theming.brand import Link
from reseller_kit.theming.sample import sample_brand, sample_mail, sample_page

LIBRARY = theming.load()
SHOWN = sorted(set(LIBRARY.themes) - {"base"})
LIGHT, DARK, MAIL = ("a" * 64, "b" * 64, "c" * 64)


def brand(**changes: Any) -> theming.Brand:
    return structs.replace(sample_brand(), **changes)


def home(theme: str, shown: theming.Brand, lang: str = "en") -> str:
    return theming.render(
        LIBRARY, theme, "storefront/home.html", structs.replace(sample_page("/", brand=shown), lang=lang)
    )


def test_logos_are_known_by_their_grounds() -> None:
    assert brand().logos == {}
    assert brand(images={"logo_dark": DARK}).logos == {"dark": f"/theme/images/{DARK}"}
    both = brand(images={"logo_light": LIGHT, "logo_dark": DARK})
    assert both.logos == {"light": f"/theme/images/{LIGHT}", "dark": f"/theme/images/{DARK}"}
    assert both.mail_logo_url == f"/theme/images/{LIGHT}"
    assert brand(images={"logo_mail": MAIL}).mail_logo_url == f"/theme/images/{MAIL}"


@pytest.mark.parametrize("kind", ["light", "dark"])
@pytest.mark.parametrize("theme", SHOWN)
def test_a_logo_for_one_ground_alone_is_marked_so(theme: str, kind: str) -> None:
    html = home(theme, brand(images={f"logo_{kind}": LIGHT}))
    assert f'class="only-{kind}" src="/theme/images/{LIGHT}"' in html
    assert 'class="on-' not in html


@pytest.mark.parametrize("theme", SHOWN)
def test_logos_and_links_of_the_brand_show_in_every_theme(theme: str) -> None:
    shown = brand(
        images={"logo_light": LIGHT, "logo_dark": DARK},
        menu=(Link("/pricing"), Link("https://blog.example/?a=1&b=2", "<Blog> {{7*7}}")),
        footer=(Link("/legal/terms", "House rules"),),
        social={"github": "https://github.com/aurora"},
    )
    html = home(theme, shown)
    assert f'class="on-light" src="/theme/images/{LIGHT}"' in html
    assert f'class="on-dark" src="/theme/images/{DARK}"' in html
    menu = html.partition('id="menu"')[2].partition("</nav>")[0]
    assert '<a href="https://blog.example/?a=1&amp;b=2" rel="noopener">&lt;Blog&gt; {{7*7}}</a>' in menu
    assert '<a href="/pricing">' in menu
    assert 'href="/faq"' not in menu
    assert '<a href="/legal/terms">House rules</a>' in html
    assert '<a href="https://github.com/aurora" rel="me noopener">GitHub</a>' in html
    assert home(theme, brand()).partition('id="menu"')[2].partition("</nav>")[0].count("<li") >= 5


def test_words_come_in_the_language_of_the_page_and_mail() -> None:
    words = {"de": {"tagline": "Ganz ruhig", "home.title": "Hallo"}}
    shown = brand(languages=("en", "de"), translations=words, texts={"home.title": "Hello", "home.lead": "Lead"})
    assert ("Hello" in home("daylight", shown), "Hallo" in home("daylight", shown)) == (True, False)
    german = home("daylight", shown, "de")
    assert "Hallo" in german
    assert "Ganz ruhig" in german
    assert "Lead" in german
    assert shown.in_language("de-AT").tagline == "Ganz ruhig"
    assert shown.in_language("fr") == shown
    mail = structs.replace(sample_mail("receipt", brand=brand(images={"logo_mail": MAIL})), lang="de")
    assert (
        f'src="https://aurora.example/theme/images/{MAIL}"'
        in theming.render_mail(LIBRARY, "daylight", "receipt", mail).html
    )


def test_the_card_of_links_names_what_goes_into_it() -> None:
    def card(shown: theming.Brand) -> str:
        found = re.search(r'property="og:image" content="https://aurora.example([^"]+)"', home("daylight", shown))
        assert found is not None
        return found[1]

    urls = [
        card(brand()),
        card(brand(tagline="Another")),
        card(brand(name="Another")),
        card(brand(images={"logo_light": LIGHT})),
        card(brand(tokens={"color.accent": "#aa0000"})),
    ]
    assert len(set(urls)) == len(urls)
    for shown, url in ((brand(), urls[0]), (brand(tagline="Another"), urls[1])):
        drawn = theming.drawing(LIBRARY, "daylight", shown, url)
        assert drawn is not None
        assert (drawn.kind, drawn.tagline) == ("card", shown.tagline)
    assert card(brand(images={"social": LIGHT})) == f"/theme/images/{LIGHT}"
    assert theming.drawing(LIBRARY, "daylight", brand(), "/theme/000000000000.png") is None


def test_a_picture_takes_the_place_of_the_letter() -> None:
    assert 'rel="icon" type="image/svg+xml"' in home("daylight", brand())
    assert 'rel="icon" type="image/png"' in home("daylight", brand(images={"favicon": LIGHT}))


def test_a_mail_writes_amounts_as_its_language_does() -> None:
    for kind, told in (("receipt", "10,00 $"), ("order_refunded", "5,00 $"), ("credit_low", "12,50 $")):
        mail = structs.replace(sample_mail(kind), lang="de")
        mail = structs.replace(mail, content={**mail.content, "threshold": "12.50"})
        rendered = theming.render_mail(LIBRARY, "daylight", kind, mail)
        assert told in rendered.text.replace("\N{NO-BREAK SPACE}", " ")
        assert told in rendered.html.replace("\N{NO-BREAK SPACE}", " ")
