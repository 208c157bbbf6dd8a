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
        "VAT 23%",
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


def test_joined_letters_are_drawn_as_they_are_seen() -> None:
    _, text = written(msgspec.structs.replace(RECEIPT, buyer_lines=("محمد 7",)))
    assert "\ufee3\ufea4\ufee4\ufeaa" in text  # of each letter the form that it has at its place


def test_long_lines_and_many_of_them_stay_on_the_sheet() -> None:
    lines = tuple(f"{number} " + "address" * 40 for number in range(60))
    file, text = written(msgspec.structs.replace(RECEIPT, seller_lines=lines))
    assert len(PdfReader(io.BytesIO(file)).pages) > 1
    assert "59 " in text
    assert "$12.30" in text
