"""Receipts as files: their words can be read back, in every script, and they name their seller alone."""

from __future__ import annotations

import io

import msgspec
import pytest
from pypdf import PdfReader

from reseller_kit import theming
from reseller_kit.theming.billing import ReceiptView
from reseller_kit.theming.pdf import receipt_pdf
from reseller_kit.theming.render import find_theme, texts_of
from reseller_kit.theming.sample import VIEWED, sample_brand

LIBRARY = theming.load()
RECEIPT = next(sample.view for sample in VIEWED if isinstance(sample.view, ReceiptView))


def written(view: ReceiptView) -> tuple[bytes, str]:
    """The file and its text."""
    file = receipt_pdf(texts_of(find_theme(LIBRARY, "daylight"), "en"), sample_brand(), view, "en")
    return file, "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(file)).pages)


def test_every_amount_and_name_can_be_read_back() -> None:
    file, text = written(RECEIPT)
    for words in (
        "Aurora Compute Ltd",
        "2026-00042",
        "jane@example.com",
        "Tax 23%",
        "$2.30",
        "$12.30",
        "$10.00",
        "\u2212$5.00",
        "$7.30",
    ):
        assert words in text
    assert b"reportlab" not in file.lower()
    assert PdfReader(io.BytesIO(file), strict=True).metadata == {
        **(PdfReader(io.BytesIO(file)).metadata or {}),
        "/Producer": "Aurora AI",
        "/Creator": "Aurora AI",
        "/Author": "Aurora AI",
    }


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Łukasz Żółć", "Łukasz Żółć"),
        ("Ελένη Παπαδοπούλου", "Ελένη"),
        ("王小明 有限公司", "王小明"),
        ("株式会社サンプル", "サンプル"),
        ("김철수", "김철수"),
        ("Smith & <b>Sons</b> %s {brand}", "Smith & <b>Sons</b> %s {brand}"),
    ],
)
def test_names_of_every_script_can_be_read_back(name: str, letters: str) -> None:
    _, text = written(msgspec.structs.replace(RECEIPT, buyer_lines=(name,)))
    assert letters in text


@pytest.mark.parametrize(
    "name", ["极光人工智能有限公司", "株式会社サンプル", "김철수", "شركة أورورا", "Zoë 🚀 👩\u200d🚀 O'Neil", "ไทย"]
)
@pytest.mark.parametrize("lang", ["en", "zh", "ar"])
def test_every_font_lies_in_the_file(name: str, lang: str) -> None:
    view = msgspec.structs.replace(RECEIPT, seller=name, buyer_lines=(name,))
    file = receipt_pdf(texts_of(find_theme(LIBRARY, "daylight"), lang), sample_brand(), view, lang)
    embedded, beside = PdfReader(io.BytesIO(file)).pages[0]._get_fonts()
    assert embedded
    assert not beside
    assert len(file) < 200_000


def test_pictures_that_no_font_has_are_left_out() -> None:
    _, text = written(msgspec.structs.replace(RECEIPT, buyer_lines=("Zoë 🚀\ufe0f O'Neil",)))
    assert "🚀" not in text
    assert "O'Neil" in text


def test_arabic_begins_at_the_right_edge() -> None:
    places: dict[str, float] = {}

    def note(text: str, _current: object, matrix: list[float], *_: object) -> None:
        if text.strip():
            places[text.strip()] = matrix[4]

    file = receipt_pdf(texts_of(find_theme(LIBRARY, "daylight"), "ar"), sample_brand(), RECEIPT, "ar")
    PdfReader(io.BytesIO(file)).pages[0].extract_text(visitor_text=note)
    right = [x for text, x in places.items() if "jane@example.com" in text]
    assert right
    assert all(x > 400 for x in right)


def test_joined_letters_are_drawn_as_they_are_seen() -> None:
    _, text = written(msgspec.structs.replace(RECEIPT, buyer_lines=("محمد 7",)))
    assert "\ufee3\ufea4\ufee4\ufeaa" in text  # of each letter the form that it has at its place


def test_long_lines_and_many_of_them_stay_on_the_sheet() -> None:
    lines = tuple(f"{number} " + "address" * 40 for number in range(60))
    file, text = written(msgspec.structs.replace(RECEIPT, seller_lines=lines))
    assert len(PdfReader(io.BytesIO(file)).pages) > 1
    assert "59 " in text
    assert "$12.30" in text
