"""A table opened in a spreadsheet runs nothing, and its amounts stay numbers."""

from __future__ import annotations

import pytest

from reseller_kit.core.csv_text import csv_rows


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\tx", "-", "--1", "-1.", "-.5"])
def test_what_could_be_a_formula_is_text(text: str) -> None:
    assert csv_rows([[text]]).decode().lstrip('"').startswith("'")


@pytest.mark.parametrize("text", ["-1.50", "-7", "12.00", "0"])
def test_an_amount_stays_a_number(text: str) -> None:
    assert csv_rows([[text, None, 3]]).decode() == f"{text},,3\r\n"
