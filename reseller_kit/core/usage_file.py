"""Calls from a file: the JSON that `usage list --json` prints, all its pages after one another, or CSV. Prices nothing.

One bad row refuses the whole file; all bad rows are told at once, each with its line.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from .catalog import TOKEN_CLASSES, USAGE_CLASSES
from .errors import InvalidRequest
from .usage import ABSURD

CHARGED: Final = frozenset({"ok", "cut"})
"""How a call that was charged ended; others used nothing that is paid for."""
_MAX_PROBLEMS: Final = 100
_COLUMNS: Final = {
    **{name: name for name in USAGE_CLASSES},
    **{f"{name}_tokens": name for name in TOKEN_CLASSES},
}
"""Column of a CSV file or field of a record → usage class."""
_OTHERS: Final = frozenset(
    {
        *("id", "created_at", "tenant", "customer", "customer_id", "key", "key_prefix", "model", "public_model"),
        *("upstream", "upstream_model", "dialect", "stream", "status", "http_status", "reasoning_tokens", "quantities"),
        *("usage_source", "usage_capped", "retail", "wholesale", "cost", "attempts", "latency_ms", "first_byte_ms"),
    }
)
"""What else a usage record holds; it is passed over."""


class UsedCall(Struct, frozen=True):
    """A call: the model's name as it was asked for, and quantity by usage class.

    `group`: whose prices it is charged at; None: everybody's.
    """

    model: str
    quantities: Mapping[str, int]
    group: str | None = None


class _Bad(Exception):
    """What is wrong with one row."""


class _Problems:
    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[dict[str, Any]] = []

    def add(self, line: int, message: str) -> None:
        if len(self.found) < _MAX_PROBLEMS:
            self.found.append({"file": self.file, "line": line, "code": "bad_row", "message": message})

    def refuse(self) -> None:
        """Raise InvalidRequest if there is any."""
        if self.found:
            first = self.found[0]
            raise InvalidRequest(
                f"{self.file}:{first['line']}: {first['message']}",
                param="usage",
                fix="Correct the file; nothing was computed.",
                details=self.found,
            )


def read_usage(text: str, file: str) -> list[UsedCall]:
    """The charged calls that the text holds. Raises InvalidRequest with every bad row, by file and line."""
    text = text.removeprefix("\ufeff")
    problems = _Problems(file)
    rows = _json_rows if text.lstrip()[:1] in {"{", "["} else _csv_rows
    calls = []
    for line_of, row in rows(text, problems):
        try:
            call = _call(row)
        except _Bad as bad:
            problems.add(line_of(), str(bad))
            continue
        calls += [call] if call is not None else []
    problems.refuse()
    return calls


_Row = tuple[Callable[[], int], Mapping[str, Any]]
"""A row, and how to find its line should it be wrong."""


def _call(row: Mapping[str, Any]) -> UsedCall | None:
    model = row.get("public_model") or row.get("model")
    if not isinstance(model, str) or not model.strip():
        raise _Bad("The row names no model.")
    status = row.get("status", "ok")
    if status not in {"ok", "cut", "failed", "refused"}:
        raise _Bad(f"{status!r} is not a status: ok, cut, failed or refused.")
    quantities: dict[str, int] = {}
    given = row.get("quantities")
    if given is not None and not isinstance(given, dict):
        raise _Bad("quantities is not a table of classes.")
    for name, value in (given or {name: value for name, value in row.items() if name in _COLUMNS}).items():
        usage_class = _COLUMNS.get(name)
        if usage_class is None:
            raise _Bad(f"There is no usage class {name!r}.{_near(name)}")
        quantities[usage_class] = _quantity(name, value)
    return UsedCall(model.strip(), quantities) if status in CHARGED else None


def _quantity(name: str, value: object) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not ((text.isascii() and text.isdecimal()) or not text):
            raise _Bad(f"{name} is {value[:40]!r}, not a whole number of 0 or more.")
        value = int(text or "0") if len(text) <= 20 else ABSURD
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Bad(f"{name} is {value!r}, not a whole number of 0 or more.")
    if value >= ABSURD:
        raise _Bad(f"{name} is more than any call can use.")
    return value


def _csv_rows(text: str, problems: _Problems) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in _COLUMNS and name not in _OTHERS]
        if "model" not in header and "public_model" not in header:
            problems.add(1, "The header names no column model.")
        elif unknown:
            problems.add(1, f"There is no column {unknown[0]!r}.{_near(unknown[0])}")
        elif len(set(header)) < len(header):
            problems.add(1, "The header names a column twice.")
        problems.refuse()
        # The JSON of a record's quantities repeats what its columns say.
        for cells in reader:
            line = reader.line_num
            if not cells:
                continue
            if len(cells) != len(header):
                problems.add(line, f"The row has {len(cells)} cells, the header has {len(header)}.")
                continue
            row = {name: cell for name, cell in zip(header, cells, strict=True) if name != "quantities"}
            yield (lambda line=line: line), row  # type: ignore[misc]  # mypy does not infer a lambda with a default
    except csv.Error as error:
        problems.add(reader.line_num, f"This is no CSV: {error}.")


def _json_rows(text: str, problems: _Problems) -> Iterator[_Row]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    at = 0
    while at < len(text):
        start = at + len(text[at:]) - len(text[at:].lstrip())
        if start == len(text):
            return
        try:
            document, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            place = error.pos if isinstance(error, json.JSONDecodeError) else start
            problems.add(_line(text, place), "This is no JSON.")
            return
        yield from _records(document, text, start, problems)


def _records(document: object, text: str, start: int, problems: _Problems) -> Iterator[_Row]:
    """The records of a page, of a list of pages or records, or one record alone."""
    pages = document if isinstance(document, list) else [document]
    number = 0
    for page in pages:
        records = page.get("records") if isinstance(page, dict) and "records" in page else [page]
        if not isinstance(records, list):
            problems.add(_line(text, start), "records is not a list.")
            continue
        for record in records:
            place = number
            number += 1
            if isinstance(record, dict):
                yield (lambda place=place: _line_of_record(text, start, place)), record  # type: ignore[misc]  # see above
            else:
                problems.add(_line_of_record(text, start, place), "The row is not a record.")


def _line_of_record(text: str, start: int, number: int) -> int:
    """The line on which the record of this number begins: the objects that name a model, in order."""
    decoder = json.JSONDecoder()
    seen = -1
    at = text.find("{", start)
    last = start
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            break
        if "records" in value and isinstance(value["records"], list):
            # A page: look at what is in it, not at it.
            at = text.find("{", at + 1)
            continue
        seen += 1
        last = at
        if seen == number:
            break
        at = text.find("{", end)
    return _line(text, last)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number of JSON")


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, [*_COLUMNS, *_OTHERS], n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
