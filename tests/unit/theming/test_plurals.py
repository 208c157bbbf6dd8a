"""Texts that follow a number, in every shipped language, and catalogues whose plural forms are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel import Locale

from reseller_kit import theming
from reseller_kit.core.errors import InvalidManifest
from reseller_kit.theming.plurals import Plural
from reseller_kit.theming.prose import fill
from reseller_kit.theming.render import texts_of
from reseller_kit.theming.texts import read_texts

LIBRARY = theming.load()
LANGUAGES = ("en", "de", "es", "zh", "ar")
HEADER = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural={};\\n"\n\n'


def texts(lang: str) -> dict[str, str]:
    return dict(texts_of(LIBRARY.themes["base"], lang))


def read(folder: Path, entries: str, rule: str = "(n != 1)") -> dict[str, str]:
    file = folder / "locales" / "en" / "own.po"
    file.parent.mkdir(parents=True)
    file.write_text(HEADER.format(rule) + entries)
    return read_texts((folder,))["en"]


@pytest.mark.parametrize(
    ("lang", "number", "text"),
    [
        ("en", 1, "Valid for 1 day"),
        ("en", 30, "Valid for 30 days"),
        ("de", 1, "1 Tag gültig"),
        ("es", 2, "Válido durante 2 días"),
        ("zh", 1, "有效期 1 天"),
        ("ar", 1, "صالح لمدة يوم واحد"),
        ("ar", 2, "صالح لمدة يومين"),
        ("ar", 7, "صالح لمدة 7 أيام"),
        ("ar", 30, "صالح لمدة 30 يومًا"),
        ("ar", 100, "صالح لمدة 100 يوم"),
    ],
)
def test_a_text_follows_its_number(lang: str, number: int, text: str) -> None:
    assert fill(texts(lang)["package.valid_days"], {"days": number}) == text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_chooses_forms_as_the_cldr_does(lang: str) -> None:
    plural = texts(lang)["package.valid_days"]
    assert isinstance(plural, Plural)
    assert len(plural.forms) == {"zh": 1, "ar": 6}.get(lang, 2)
    chosen = [(Locale.parse(lang).plural_form(number), plural._rule(number)) for number in range(1, 1000)]
    assert len(set(chosen)) == len({category for category, _ in chosen})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_has_plural_forms_has_them_in_every_language(lang: str) -> None:
    def forms(of: str) -> dict[str, str]:
        return {key: text.by for key, text in texts(of).items() if isinstance(text, Plural)}

    assert forms(lang) == forms("en")
    assert len(forms("en")) >= 9


def test_a_number_may_be_written_with_separators() -> None:
    assert fill(texts("en")["account.lasts_days"], {"days": "1,001"}) == "1,001 days"
    assert fill(texts("en")["account.lasts_days"], {"days": "1"}) == "1 day"


def test_a_form_that_is_missing_leaves_the_text_untranslated(tmp_path: Path) -> None:
    assert read(tmp_path, 'msgid "a"\nmsgid_plural "n"\nmsgstr[0] "{n} hour"\nmsgstr[1] ""\n') == {}


@pytest.mark.parametrize(
    ("forms", "rule", "problem"),
    [
        ('msgstr[0] "one"\nmsgstr[1] "many"\n', "(n != 1)", r"no form of 'a' shows \{n\}"),
        ('msgstr[0] "{n}"\nmsgstr[1] "{n}s"\nmsgstr[2] "{n}s"\n', "(n != 1)", "num_plurals"),
        ('msgstr[0] "one"\nmsgstr[1] "{n}"\n', "n +", "Plural-Forms"),
    ],
)
def test_a_catalogue_with_wrong_forms_is_refused(tmp_path: Path, forms: str, rule: str, problem: str) -> None:
    with pytest.raises(InvalidManifest, match=problem):
        read(tmp_path, f'msgid "a"\nmsgid_plural "n"\n{forms}', rule)
