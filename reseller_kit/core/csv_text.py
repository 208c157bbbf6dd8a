"""Rows as CSV that a spreadsheet opens without harm. Opens no file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)


def csv_rows(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as UTF-8 with lines that end as RFC 4180 says; None is an empty cell.

    A text that a spreadsheet would read as a formula gets an apostrophe before it (OWASP, "CSV Injection"); a number,
    such as an amount below zero, is none.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return "'" + value
    return "" if value is None else value
