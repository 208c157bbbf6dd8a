"""Rows of an upstream's own usage export as values, whoever wrote them. Opens no file and compares nothing.

Column names are those of OpenAI's usage API and activity export, of Anthropic's usage report and console export, and
those of `usage list --json`. OpenAI's input includes cached and cache-write tokens, the others' does not; here they are
taken apart. A file that does not tell cached input from plain names `all_input` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct

from .errors import InvalidRequest
from .times import format_time, parse_time
from .usage import ABSURD

ALL_INPUT: Final = "all_input"
"""Input of every class together."""

_IDS: Final = ("x_client_request_id", "client_request_id", "request_id", "id")
_DAYS: Final = ("date", "day", "usage_date_utc", "starting_at", "start_time", "aggregation_timestamp", "created_at")
_MODELS: Final = ("upstream_model", "model", "model_version", "snapshot_id")
_REQUESTS: Final = ("num_model_requests", "n_requests", "num_requests", "requests")
_COSTS: Final = ("cost", "cost_usd")
_INCLUSIVE: Final = {
    "input_tokens": ("input_cached_tokens", "input_cache_write_tokens"),
    "n_context_tokens_total": ("n_cached_context_tokens_total", ""),
    "prompt_tokens": ("cached_tokens", ""),
}
"""Columns whose input includes the cached and the cache-write tokens named beside it."""
_EXCLUSIVE: Final = {
    "input": ("uncached_input_tokens", "usage_input_tokens_no_cache"),
    "cached_input": ("cache_read_input_tokens", "usage_input_tokens_cache_read", "cached_input_tokens"),
    "cache_write": (
        "cache_creation_ephemeral_5m_input_tokens",
        "usage_input_tokens_cache_write_5m",
        "cache_write_tokens",
    ),
    "cache_write_1h": (
        "cache_creation_ephemeral_1h_input_tokens",
        "usage_input_tokens_cache_write_1h",
        "cache_write_1h_tokens",
    ),
}
_OUTPUTS: Final = ("output_tokens", "usage_output_tokens", "n_generated_tokens_total", "completion_tokens")
_WHOLE: Final = re.compile(r"\d{1,18}", re.ASCII)
_UNIX: Final = re.compile(r"\d{9,11}", re.ASCII)
_LARGEST_COST_USD: Final = 10**9


class ExportLine(Struct, frozen=True, kw_only=True):
    """What the upstream says of one request, or of one day and model. Tokens by class, `cost` in nano-USD.

    A class that the file does not tell apart is missing from `quantities`, and then it is not compared.
    """

    request_id: str | None
    day: str | None
    model: str | None
    quantities: dict[str, int]
    requests: int | None = None
    cost: int | None = None


def rows_of(document: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a JSON export: a list of rows, or `data`, `results` or `records` of them, in time buckets or not.

    A bucket's start is added to each of its results. Raises InvalidRequest for another shape.
    """
    if isinstance(document, Mapping):
        for name in ("data", "records", "results"):
            if isinstance(document.get(name), list):
                if document.get("has_more") or document.get("next_cursor"):
                    raise InvalidRequest("The file is one page of several.", fix="Join all pages into one file first.")
                yield from rows_of(document[name])
                return
    if not isinstance(document, list):
        raise InvalidRequest("The file holds no list of usage rows.", fix="Give the export as it was downloaded.")
    for row in document:
        if not isinstance(row, Mapping):
            raise InvalidRequest("A usage row is not an object.", fix="Give the export as it was downloaded.")
        if isinstance(row.get("results"), list):
            begun = {name: row[name] for name in _DAYS if name in row}
            for result in row["results"]:
                yield {**begun, **result}
        else:
            yield row


def line_of(row: Mapping[str, Any], number: int) -> ExportLine:
    """The `number`th row of a file. Raises InvalidRequest, naming it, for a row that can't be believed."""
    try:
        return _line(_flat(row))
    except InvalidRequest as error:
        raise InvalidRequest(f"Row {number}: {error}", fix=error.fix) from None


def _line(row: Mapping[str, Any]) -> ExportLine:
    quantities = _quantities(row)
    if not quantities:
        raise InvalidRequest("it has no token column that is known.", fix="See docs/proof.md, Reconcile.")
    day, model = _first(row, _DAYS), _first(row, _MODELS)
    request_id = _first(row, _IDS)
    if request_id is None and (day is None or model is None):
        raise InvalidRequest("it names neither a request nor a day and model.", fix="See docs/proof.md, Reconcile.")
    requests, cost = _first(row, _REQUESTS), _first(row, _COSTS)
    return ExportLine(
        request_id=None if request_id is None else str(request_id),
        day=None if day is None else _day(day),
        model=None if model is None else str(model),
        quantities=quantities,
        requests=None if requests is None else _whole(requests),
        cost=None if cost is None else _cost(cost),
    )


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Lower-case names with underscores; a nested object's names begin with its own."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        plain = str(name).strip().lower().replace("-", "_").replace(" ", "_")
        if isinstance(value, Mapping):
            flat |= {f"{plain}_{inner}": part for inner, part in value.items()}
        else:
            flat[plain] = value
    return flat


def _quantities(row: Mapping[str, Any]) -> dict[str, int]:
    found = {name: _whole(value) for name, names in _EXCLUSIVE.items() if (value := _first(row, names)) is not None}
    if "cached_input" in found and "input" not in found and "input_tokens" in row:
        found["input"] = _whole(row["input_tokens"])
    if not found:
        found = _taken_apart(row)
    output = _first(row, _OUTPUTS)
    if output is not None:
        found["output"] = _whole(output)
    return found


def _taken_apart(row: Mapping[str, Any]) -> dict[str, int]:
    for name, (cached_name, written_name) in _INCLUSIVE.items():
        total = _first(row, (name,))
        if total is None:
            continue
        cached, written = _first(row, (cached_name,)), _first(row, (written_name,))
        if cached is None:
            return {ALL_INPUT: _whole(total)}
        parts = {"cached_input": _whole(cached), "cache_write": 0 if written is None else _whole(written)}
        plain = _whole(total) - sum(parts.values())
        if plain < 0:
            raise InvalidRequest(f"more tokens are cached than {name} has.", fix="Check how the file was made.")
        return {"input": plain, **parts}
    return {}


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these columns that is there and not empty."""
    return next((row[name] for name in names if row.get(name) not in {None, ""}), None)


def _whole(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not _WHOLE.fullmatch(text) or int(text) > ABSURD:
        raise InvalidRequest(f"{text[:40]!r} is not a number of tokens or requests.", fix="Whole numbers of 0 or more.")
    return int(text)


def _cost(value: Any) -> int:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= _LARGEST_COST_USD:
        raise InvalidRequest(f"{str(value)[:40]!r} is not a cost in USD.", fix="A decimal number of 0 or more.")
    return int((amount * 10**9).to_integral_value())


def _day(value: Any) -> str:
    """A date, a time or Unix seconds to the UTC date."""
    text = str(value).strip()
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    return format_time(parse_time(text))[:10]
