"""Compares every figure that the product reports with the oracle's. Decides nothing about what a figure should be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scripts._lib.demo.oracle import CLASSES, Amounts, Oracle, Usage


@dataclass(frozen=True)
class JournalLine:
    """What the upstream says it answered."""

    model: str
    stream: bool
    usage: Usage


@dataclass(frozen=True)
class Made:
    """A call as its customer saw it: storefront, name asked for, and the usage in the answer."""

    slug: str
    model: str
    stream: bool
    usage: Usage


@dataclass(frozen=True)
class Reported:
    """What the product's commands print for one tenant, as parsed JSON. `records` are newest first, as printed."""

    records: Sequence[Mapping[str, Any]]
    credit: Mapping[str, Any]
    wholesale: Mapping[str, Any]
    prices: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """One figure: where it stands, what the oracle says, what the product says."""

    name: str
    expected: object
    actual: object

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.expected == self.actual

    def line(self) -> str:
        """For the terminal."""
        mark = "ok  " if self.equal else "FAIL"
        tail = "" if self.equal else f", but the product says {_shown(self.actual)}"
        return f"{mark}  {self.name:<56} {_shown(self.expected)}{tail}"


def read_journal(text: str) -> list[JournalLine]:
    """The emulator's journal, one JSON object a line, oldest first; without answers that reported no usage."""
    return [
        JournalLine(entry["model"], bool(entry["stream"]), usage_of(entry["usage"]))
        for entry in map(json.loads, text.splitlines())
        if entry.get("usage")
    ]


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """OpenAI's usage object, whose prompt tokens include the cached ones."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(input=usage["prompt_tokens"] - cached, cached_input=cached, output=usage["completion_tokens"])


def compare(
    oracle: Oracle,
    journal: Sequence[JournalLine],
    made: Sequence[Made],
    reported: Mapping[str, Reported],
    audit: Mapping[str, Any],
    *,
    granted: Fraction,
    deposited: Fraction,
) -> Iterator[Comparison]:
    """Every figure of the demo. Calls were made one after another, so the journal has them in the same order."""
    yield Comparison("calls in the journal", len(made), len(journal))
    for slug, report in reported.items():
        yield Comparison(f"{slug}: usage records", sum(call.slug == slug for call in made), len(report.records))
    spent = {slug: (Fraction(0), Fraction(0)) for slug in reported}
    oldest_first = {slug: list(reversed(report.records)) for slug, report in reported.items()}
    for call, line in zip(made, journal, strict=False):
        if not oldest_first[call.slug]:
            continue
        record = oldest_first[call.slug].pop(0)
        model = oracle.public_model(call.slug, call.model)
        amounts = oracle.amounts(call.slug, model, record["upstream"], line.model, line.usage)
        yield from _compare_call(call, line, model, amounts, record)
        retail, wholesale = spent[call.slug]
        spent[call.slug] = (retail + amounts.retail, wholesale + amounts.wholesale)
    for slug, report in reported.items():
        yield from _compare_wallets(slug, report, granted - spent[slug][0], deposited - spent[slug][1])
        yield from _compare_prices(oracle, slug, report.prices)
    yield Comparison("ledger audit: ok", expected=True, actual=audit["ok"])
    yield Comparison("ledger audit: findings", [], audit["findings"])
    yield Comparison("ledger audit: open holds", 0, audit["open_holds"])
    yield Comparison("ledger audit: imbalance", Fraction(0), Fraction(audit["imbalance"]))


def _compare_call(
    call: Made, line: JournalLine, model: str, amounts: Amounts, record: Mapping[str, Any]
) -> Iterator[Comparison]:
    where = f"{call.slug}: {call.model} {'streamed' if call.stream else 'plain'}"
    usage = line.usage
    yield Comparison(f"{where}: streamed", line.stream, record["stream"])
    yield Comparison(f"{where}: status", "ok", record["status"])
    yield Comparison(f"{where}: usage source", "upstream", record["usage_source"])
    yield Comparison(f"{where}: name asked for", call.model, record["model"])
    yield Comparison(f"{where}: public model", model, record["public_model"])
    yield Comparison(f"{where}: upstream model", line.model, record["upstream_model"])
    yield Comparison(f"{where}: input tokens", usage.input, record["input_tokens"])
    yield Comparison(f"{where}: cached input tokens", usage.cached_input, record["cached_input_tokens"])
    yield Comparison(f"{where}: output tokens", usage.output, record["output_tokens"])
    yield Comparison(f"{where}: usage in the answer", usage, call.usage)
    yield Comparison(f"{where}: retail", amounts.retail, Fraction(record["retail"]))
    yield Comparison(f"{where}: wholesale", amounts.wholesale, Fraction(record["wholesale"]))
    yield Comparison(f"{where}: cost", amounts.cost, Fraction(record["cost"]))


def _compare_wallets(slug: str, report: Reported, credit: Fraction, wholesale: Fraction) -> Iterator[Comparison]:
    for name, expected, wallet in (("credit", credit, report.credit), ("wholesale", wholesale, report.wholesale)):
        yield Comparison(f"{slug}: {name} balance", expected, Fraction(wallet["balance"]))
        yield Comparison(f"{slug}: {name} held", Fraction(0), Fraction(wallet["held"]))
        yield Comparison(f"{slug}: {name} available", expected, Fraction(wallet["available"]))
    lots = sum((Fraction(lot["remaining"]) for lot in report.credit["lots"]), Fraction(0))
    yield Comparison(f"{slug}: credit left in lots", credit, lots)


def _compare_prices(oracle: Oracle, slug: str, prices: Sequence[Mapping[str, Any]]) -> Iterator[Comparison]:
    """The published prices of the classes that chat uses, below any long-context tier."""
    for price in prices:
        name, usage_class = price["model"], price["class"]
        if usage_class not in CLASSES or price.get("above_input"):
            continue
        model = oracle.public_model(slug, name)
        where = f"{slug}: price of {name} {usage_class}"
        yield Comparison(f"{where}: cost", oracle.cost(model, usage_class, 0), Fraction(price["cost"]))
        yield Comparison(
            f"{where}: wholesale", oracle.wholesale(slug, model, usage_class, 0), Fraction(price["wholesale"])
        )
        yield Comparison(f"{where}: retail", oracle.retail(slug, model, usage_class, 0), Fraction(price["retail"]))


def _shown(value: object) -> str:
    if not isinstance(value, Fraction):
        return str(value)
    scaled = value * 10**12
    if scaled.denominator != 1:
        return f"{value} (no finite decimal)"
    sign, digits = ("-", -scaled.numerator) if scaled < 0 else ("", scaled.numerator)
    whole, rest = divmod(digits, 10**12)
    decimals = f"{rest:012d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"
