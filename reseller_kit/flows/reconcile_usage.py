"""`reconcile --upstream`: usage records against an upstream's own usage export. Reports differences, corrects nothing.

Any length of either side in bounded memory: the export's lines go through a scratch file, ours come in chunks.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.catalog import INPUT_CLASSES, OUTPUT_CLASSES
from ..core.errors import InvalidRequest, NotFound
from ..core.money import format_amount
from ..core.times import DAY_US, format_time, parse_time
from ..core.usage_export import ALL_INPUT, ExportLine, line_of, rows_of
from ..db import operator_reconcile
from ..db.engine import EVERY_TENANT, Database
from ..db.operator_reconcile import Served
from ..db.operator_scratch import Scratch, scratch

MAX_DIFFERENCES: Final = 1_000
_MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
_KEPT: Final[tuple[str, ...]] = ("cached_input", "cache_write", "cache_write_1h")
_MAX_LINE_BYTES: Final = 1024 * 1024
_quantities = msgspec.json.Decoder(dict[str, int]).decode
_PPM: Final = 1_000_000


class Sum(Struct, omit_defaults=True):
    """Tokens by class, requests and cost of one key, as one side has it. None: that side does not say."""

    tokens: dict[str, int] = {}
    requests: int | None = None
    cost: int | None = None
    estimated: bool = False


class Tolerance(Struct, frozen=True, kw_only=True):
    """What still counts as equal: a share of the upstream's figure in ppm, and an amount in nano-USD for costs."""

    ppm: int = 0
    cost: int = 0


class Wanted(Struct, frozen=True, kw_only=True):
    """What to compare: an upstream, a file, and a period in µs."""

    upstream: str
    file: Path
    since: int | None = None
    until: int | None = None
    tolerance: Tolerance = Tolerance()


async def reconcile_usage(db: Database, wanted: Wanted) -> dict[str, Any]:
    """The comparison as a document; `ok` when nothing differs by more than the tolerance.

    Raises NotFound for an unknown upstream or file, InvalidRequest for a file that can't be believed.
    """
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidRequest("--since is not before --until.", fix="Give a period that has a length.")
    with scratch() as theirs:
        by_request, count = _take_in(theirs, wanted.file)
        report = _Report(wanted.tolerance)
        async with db.read(EVERY_TENANT) as connection:
            if not await operator_reconcile.is_upstream(connection, wanted.upstream):
                raise NotFound(
                    f"There is no upstream {wanted.upstream}.", fix="List them with: reseller-kit upstream list"
                )
            since, until = (wanted.since, wanted.until) if by_request else _days(theirs, wanted)
            ours = operator_reconcile.served(connection, wanted.upstream, since=since, until=until)
            compare = _by_request if by_request else _by_day
            records = await compare(ours, theirs, report, wanted)
    return {
        "ok": not report.count,
        "upstream": wanted.upstream,
        "compared_by": "request" if by_request else "day and model",
        "lines": count,
        "records": records,
        "missing_here": report.missing["here"],
        "missing_there": report.missing["there"],
        "totals": report.totals(),
        "differences": report.rows,
        "difference_count": report.count,
    }


class _Report:
    """Collects differences, a bounded number of them, and the totals of both sides."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.rows: list[dict[str, Any]] = []
        self.count = 0
        self.missing: Counter[str] = Counter()
        self._tolerance = tolerance
        self._ours: Counter[str] = Counter()
        self._theirs: Counter[str] = Counter()

    def judge(self, key: Mapping[str, Any], ours: Sum | None, theirs: Sum | None) -> None:
        """Compare what both sides have; None where one has nothing."""
        if ours is None or theirs is None:
            self.missing["here" if ours is None else "there"] += 1
        mine, other = ours or Sum(), theirs or Sum()
        names = list(other.tokens) if theirs is not None else [name for name in mine.tokens if name != ALL_INPUT]
        for name in names:
            self._one(key, ours, theirs, name, mine.tokens.get(name, 0), other.tokens.get(name, 0))
        if theirs is not None and other.requests is not None:
            self._one(key, ours, theirs, "requests", mine.requests or 0, other.requests)
        if theirs is None or other.cost is not None:
            self._one(key, ours, theirs, "cost", mine.cost or 0, other.cost or 0)

    def totals(self) -> list[dict[str, Any]]:
        """Both sides' sums of everything that was compared."""
        names = sorted({*self._ours, *self._theirs})
        return [{"class": name, **_figures(name, self._ours[name], self._theirs[name])} for name in names]

    def _one(
        self, key: Mapping[str, Any], ours: Sum | None, theirs: Sum | None, name: str, mine: int, other: int
    ) -> None:
        self._ours[name] += mine
        self._theirs[name] += other
        allowed = other * self._tolerance.ppm // _PPM
        if name == "cost":
            allowed = max(allowed, self._tolerance.cost)
        if abs(mine - other) <= allowed:
            return
        self.count += 1
        if len(self.rows) < MAX_DIFFERENCES:
            missing = "here" if ours is None else "there" if theirs is None else None
            estimated = ours is not None and ours.estimated
            self.rows.append(
                {**key, "class": name, **_figures(name, mine, other), "missing": missing, "estimated": estimated}
            )


def _figures(name: str, ours: int, theirs: int) -> dict[str, Any]:
    figures = {"ours": ours, "theirs": theirs, "difference": ours - theirs}
    return {what: format_amount(figure) for what, figure in figures.items()} if name == "cost" else figures


async def _by_request(ours: Any, theirs: Scratch, report: _Report, wanted: Wanted) -> int:
    """Line by line. Without a period, ours are those between the file's first and last request."""
    bounds = theirs.bounds()
    low, high = bounds if bounds is not None else ("", "")
    bounded = wanted.since is None and wanted.until is None
    records = 0
    async for chunk in ours:
        inside = [record for record in chunk if not bounded or low <= record.id <= high]
        found = theirs.take([record.id for record in inside])
        for record in inside:
            mine, other = _sum_of([record]), found.get(record.id)
            records += 1
            # A call that failed before content costs nothing, and upstreams leave such calls out.
            if other is not None or any(mine.tokens.values()):
                report.judge({"request": record.id}, mine, None if other is None else _decode(other))
    for request_id, other in theirs.unseen():
        report.judge({"request": request_id}, None, _decode(other))
    return records


async def _by_day(ours: Any, theirs: Scratch, report: _Report, _wanted: Wanted) -> int:
    """Totals per UTC day and upstream's model. There are few of these, so ours are summed in memory."""
    sums: dict[str, Sum] = {}
    records = 0
    async for chunk in ours:
        for record in chunk:
            records += 1
            if record.quantities != "{}":
                key = _day_key(format_time(record.created_at)[:10], record.upstream_model)
                sums[key] = _add(sums.get(key, Sum()), _sum_of([record]))
    found = theirs.take(list(sums))
    both = {key: (sums[key], None if key not in found else _decode(found[key])) for key in sums}
    rest = {key: (None, _decode(value)) for key, value in theirs.unseen()}
    for key, (mine, other) in sorted({**both, **rest}.items()):
        day, _, model = key.partition(" ")
        report.judge({"day": day, "model": model}, mine, other)
    return records


def _days(theirs: Scratch, wanted: Wanted) -> tuple[int | None, int | None]:
    """The period asked for, else that of the file's days."""
    bounds = theirs.bounds()
    if bounds is None:
        return wanted.since, wanted.until
    first, last = (parse_time(key.partition(" ")[0]) for key in bounds)
    return (
        first if wanted.since is None else wanted.since,
        last + DAY_US if wanted.until is None else wanted.until,
    )


def _take_in(theirs: Scratch, file: Path) -> tuple[bool, int]:
    """Every line into the scratch file, lines of one key added up; whether they name requests, and their number."""
    by_request, count = True, 0
    for count, row in enumerate(_rows(file), 1):
        line = line_of(row, count)
        if count == 1:
            by_request = line.request_id is not None
        if by_request != (line.request_id is not None):
            raise InvalidRequest(
                f"Row {count}: some rows name a request and some do not.", fix="Give one kind of export."
            )
        key = line.request_id or _day_key(line.day or "", line.model or "")
        known = theirs.get(key)
        # A request that was tried twice at the upstream has two lines there and one record here.
        theirs.put(key, msgspec.json.encode(_add(_decode(known) if known else Sum(), _sum_of_line(line))))
    return by_request, count


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a CSV file, of JSON lines, or of one JSON document."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}.", fix="Give the path of the upstream's usage export.")
    try:
        form = _form(file)
        if form == "csv":
            with file.open(encoding="utf-8-sig", newline="") as opened:
                yield from csv.DictReader(opened)
        elif form == "lines":
            with file.open("rb") as lines:
                for line in filter(bytes.strip, lines):
                    yield from rows_of([msgspec.json.decode(line)])
        else:
            if file.stat().st_size > _MAX_DOCUMENT_BYTES:
                raise InvalidRequest("The JSON document is too large to read whole.", fix="Give JSON lines or CSV.")
            yield from rows_of(msgspec.json.decode(file.read_bytes()))
    except (UnicodeDecodeError, csv.Error, msgspec.DecodeError) as error:
        raise InvalidRequest(f"{file} can't be read: {error}.", fix="Give CSV, JSON lines or JSON in UTF-8.") from None


def _form(file: Path) -> str:
    """JSON lines are told from a document by a first line that is a whole object with something behind it."""
    with file.open("rb") as opened:
        first = opened.readline(_MAX_LINE_BYTES)
        more = opened.read(1)
    if first.lstrip()[:1] not in {b"{", b"["}:
        return "csv"
    try:
        whole = isinstance(msgspec.json.decode(first), dict)
    except msgspec.DecodeError:
        whole = False
    return "lines" if whole and more else "document"


def _sum_of(records: Iterable[Served]) -> Sum:
    total = Sum(requests=0, cost=0)
    for record in records:
        used = _quantities(record.quantities)
        tokens: dict[str, int] = {name: used[name] for name in _KEPT if name in used}
        tokens["input"] = sum(used.get(name, 0) for name in ("input", "input_audio", "input_image"))
        tokens[ALL_INPUT] = sum(used.get(name, 0) for name in INPUT_CLASSES)
        tokens["output"] = sum(used.get(name, 0) for name in OUTPUT_CLASSES)
        estimated = record.usage_source == "estimated"
        total = _add(total, Sum(tokens=tokens, requests=1, cost=record.cost_nano, estimated=estimated))
    return total


def _sum_of_line(line: ExportLine) -> Sum:
    return Sum(tokens=line.quantities, requests=line.requests, cost=line.cost)


def _add(one: Sum, other: Sum) -> Sum:
    return Sum(
        tokens=dict(Counter(one.tokens) + Counter(other.tokens)) | _zeros(one, other),
        requests=_plus(one.requests, other.requests),
        cost=_plus(one.cost, other.cost),
        estimated=one.estimated or other.estimated,
    )


def _zeros(one: Sum, other: Sum) -> dict[str, int]:
    """Classes that were named and are nothing: adding counters would drop them."""
    return {name: 0 for name in (*one.tokens, *other.tokens) if not one.tokens.get(name, 0) + other.tokens.get(name, 0)}


def _plus(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


def _decode(value: bytes) -> Sum:
    return msgspec.json.decode(value, type=Sum)


def _day_key(day: str, model: str) -> str:
    return f"{day} {model}"
