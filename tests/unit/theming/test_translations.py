"""Every language that the themes come with says all that English says, with the same placeholders and marks."""

from __future__ import annotations

import re
from collections import Counter

import msgspec
import pytest

from reseller_kit import theming
from reseller_kit.theming import locale
from reseller_kit.theming.library import Theme
from reseller_kit.theming.sample import (
    ERROR_TEMPLATE,
    ERRORS,
    KIT_TEMPLATE,
    MAILS,
    PAGES,
    VIEWED,
    sample_mail,
    sample_page,
)
from scripts._lib.bootstrap import ROOT

LIBRARY = theming.load()
THEMES = sorted(LIBRARY.themes)
TRANSLATED = ("ar", "de", "es", "zh")
WORDS = re.compile(r"[^\W\d_]{2,}")
NOT_WORDS = re.compile(r"`[^`]*`|\{[a-z_]+\}|\*[A-Z][^*]*\*|[\w.-]+@[\w.]+|reseller-kit [^.,]*")
SAME = {
    # Words that are the same in the language, or names that are no words.
    "*": r"guides\.[a-z-]+\.(title|python|node|responses|copilot|continue|cline)|mail\.(announcement|case_\w+)\.subject"
    r"|legal\.mail|footer\.rights",
    "de": r"nav\.(status|support|faq)|code\.(aria|label)|docs\.(status|code)|status\.(title|headline)|package\.package"
    r"|support\.title|account\.(nav_support|nav_playground|playground_title|status|status_ok|tokens|key_name|effort_minimal)"
    r"|form\.name|security\.(passkeys|export|app)",
    "es": r"account\.(nav_playground|playground_title|tokens)|security\.passkeys|docs\.reference",
    "zh": r"docs\.base_url",
    "ar": r"",
}


ENGLISH_ALONE = re.compile(r"mail\.(member_|payments_unasked|webhook_disabled).*")
"""Mails to members of a team, in English as the console is. The console's own pages have no keys: `_()`."""


def english(theme: Theme) -> dict[str, str]:
    return theme.texts["en"]


def placeholders(text: str) -> Counter[str]:
    return Counter(re.findall(r"\{[a-z_]+\}", text))


def code_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"`[^`]+`", text))


def wordy(text: str) -> bool:
    """Whether a text has words that somebody would translate."""
    return WORDS.search(NOT_WORDS.sub("", text)) is not None


@pytest.mark.parametrize("lang", TRANSLATED)
def test_every_text_is_translated(lang: str) -> None:
    source, own = (
        {key for theme in LIBRARY.themes.values() for key in theme.texts.get(one, {})} for one in ("en", lang)
    )
    missing = sorted(key for key in source - own if not ENGLISH_ALONE.fullmatch(key))
    assert not missing, f"locales/{lang} lacks {len(missing)} texts: {', '.join(missing)}"
    assert not own - source, f"locales/{lang} has texts that English does not have: {', '.join(sorted(own - source))}"


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_translation_keeps_placeholders_and_code(lang: str) -> None:
    theme = LIBRARY.themes["base"]
    shared = english(theme).keys() & theme.texts[lang].keys()
    broken = {
        key: text
        for key, text in theme.texts[lang].items()
        if key in shared
        and (
            placeholders(text) != placeholders(english(theme)[key])
            or (not key.startswith("doc.") and code_of(text) != code_of(english(theme)[key]))
        )
    }
    assert broken == {}


@pytest.mark.parametrize("lang", TRANSLATED)
def test_nothing_is_left_in_english(lang: str) -> None:
    theme = LIBRARY.themes["base"]
    allowed = re.compile("|".join(pattern for pattern in (SAME["*"], SAME[lang]) if pattern))
    left = [
        key
        for key, text in theme.texts[lang].items()
        if text == english(theme).get(key) and wordy(text) and not allowed.fullmatch(key)
    ]
    assert left == []


@pytest.mark.parametrize("lang", TRANSLATED)
def test_documents_keep_their_sections(lang: str) -> None:
    texts = LIBRARY.themes["base"].texts
    for key in (key for key in texts["en"] if key.startswith("doc.")):
        marks = [re.findall(r"^(?:#+|-) ", texts[one][key], re.MULTILINE) for one in ("en", lang)]
        assert marks[0] == marks[1], key


@pytest.mark.parametrize("lang", TRANSLATED)
def test_amounts_in_sentences_are_written_as_alone(lang: str) -> None:
    around = locale.currency(lang, "1.00").split(locale.amount(lang, "1.00"))
    amount = re.compile(r"\{[a-z_]+\}".join(re.escape(part) for part in around))
    theme = LIBRARY.themes["base"]
    for key, text in english(theme).items():
        if "${" in text and key in theme.texts[lang]:
            own = theme.texts[lang][key]
            assert len(amount.findall(own)) == text.count("${") == own.count("$"), key


@pytest.mark.parametrize("lang", TRANSLATED)
@pytest.mark.parametrize("name", THEMES)
def test_every_page_and_mail_renders(name: str, lang: str) -> None:
    pages = [(template, sample_page(path)) for path, template in PAGES.items()]
    if name == "base":  # children inherit these pages, and their own are among PAGES
        pages += [(viewed.template, sample_page(viewed.path, viewed=viewed)) for viewed in VIEWED]
        pages += [(ERROR_TEMPLATE, sample_page("/missing", error=error)) for error in ERRORS]
        pages.append((KIT_TEMPLATE, sample_page("/kit")))
        for kind in MAILS:
            mail = theming.render_mail(LIBRARY, name, kind, msgspec.structs.replace(sample_mail(kind), lang=lang))
            assert f'<html lang="{lang}" dir="{"rtl" if lang == "ar" else "ltr"}">' in mail.html
            assert "{" not in mail.subject + mail.text
    for template, page in pages:
        html = theming.render(LIBRARY, name, template, msgspec.structs.replace(page, lang=lang))
        assert f'<html lang="{lang}" dir="{"rtl" if lang == "ar" else "ltr"}">' in html


SENTENCE = re.compile(r"""\b_\(['"][A-Z{]""")
FOR_THE_TEAM = re.compile(
    r"(console|platform)/.*|partials/viewing\.html|storefront/error\.html|mail/("
    r"abuse_|case_opened|case_replied|chargeback|launch_review|member_|order_to_approve|payment_review|storefront_open"
    r"|topup_to_approve).*"
)
"""What members of a team read, in English alone: its sentences stand in the templates."""


def test_what_customers_read_has_keys_that_can_be_translated() -> None:
    folder = ROOT / "themes" / "base" / "templates"
    found = [
        f"{name}: {line.strip()[:80]}"
        for path in sorted(folder.rglob("*.*"))
        if not FOR_THE_TEAM.fullmatch(name := path.relative_to(folder).as_posix())
        for line in path.read_text(encoding="utf-8").splitlines()
        if SENTENCE.search(line)
    ]
    assert not found


@pytest.mark.parametrize("theme", THEMES)
def test_a_number_with_hyphens_stands_for_itself_between_arabic_letters(theme: str) -> None:
    """Browsers and mail readers would show 2026-00042 as 00042-2026 there: isolates keep it one number."""
    named = [text for text in LIBRARY.themes[theme].texts.get("ar", {}).values() if "{number}" in text]
    assert all("\u2068{number}\u2069" in text for text in named)
