"""The comparison finds each figure that is off, and nothing when all are right."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from typing import Any

import pytest

from scripts._lib.demo.oracle import Oracle, Usage
from scripts._lib.demo.verify import Comparison, JournalLine, Made, Reported, compare, read_journal, usage_of

DOCUMENT: dict[str, Any] = {
    "models": {
        "swift": {
            "cost": {"input": "1.00", "cached_input": "0.10", "output": "4.00"},
            "routes": [{"upstream": "near", "model": "swift-1"}],
        }
    },
    "tenants": [
        {"slug": "shop", "pricing": {"markup": "50%"}, "wholesale": {"markup": "20%"}, "catalog": {}},
    ],
}
USAGE = Usage(input=10, cached_input=5, output=2)
RECORD: dict[str, Any] = {
    "model": "swift",
    "public_model": "swift",
    "upstream": "near",
    "upstream_model": "swift-1",
    "stream": False,
    "status": "ok",
    "usage_source": "upstream",
    "input_tokens": 10,
    "cached_input_tokens": 5,
    "output_tokens": 2,
    "retail": "0.0000333",
    "wholesale": "0.0000222",
    "cost": "0.0000185",
}
AUDIT: dict[str, Any] = {"ok": True, "findings": [], "open_holds": 0, "imbalance": "0.00"}


def make_report(**changed: Any) -> Reported:
    return Reported(
        records=[{**RECORD, **changed}],
        credit={
            "balance": "0.9999667",
            "held": "0.00",
            "available": "0.9999667",
            "lots": [{"remaining": "0.9999667"}],
        },
        wholesale={"balance": "1.9999778", "held": "0.00", "available": "1.9999778"},
        prices=[{"model": "swift", "class": "input", "cost": "1.00", "wholesale": "1.20", "retail": "1.80"}],
    )


def run(report: Reported, audit: dict[str, Any] = AUDIT) -> list[Comparison]:
    return list(
        compare(
            Oracle(DOCUMENT),
            [JournalLine("swift-1", stream=False, usage=USAGE)],
            [Made("shop", "swift", stream=False, usage=USAGE)],
            {"shop": report},
            audit,
            granted=Fraction(1),
            deposited=Fraction(2),
        )
    )


def differing(comparisons: list[Comparison]) -> list[str]:
    return [comparison.name for comparison in comparisons if not comparison.equal]


def test_right_figures_all_agree() -> None:
    comparisons = run(make_report())
    assert differing(comparisons) == []
    assert len(comparisons) > 20


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retail", "0.000033301"),
        ("wholesale", "0.00"),
        ("cost", "0.0000186"),
        ("input_tokens", 15),
        ("cached_input_tokens", 0),
        ("output_tokens", 3),
        ("stream", True),
        ("status", "cut"),
        ("usage_source", "estimated"),
        ("public_model", "other"),
        ("upstream_model", "other"),
    ],
)
def test_a_wrong_figure_of_a_call_is_the_one_that_differs(field: str, value: object) -> None:
    assert len(differing(run(make_report(**{field: value})))) == 1


@pytest.mark.parametrize("wallet", ["credit", "wholesale"])
@pytest.mark.parametrize("field", ["balance", "held", "available"])
def test_a_wrong_balance_differs(wallet: str, field: str) -> None:
    report = copy.deepcopy(make_report())
    getattr(report, wallet)[field] = "0.50"
    assert differing(run(report)) == [f"shop: {wallet} {field}"]


def test_a_missing_record_differs() -> None:
    report = make_report()
    names = differing(run(Reported([], report.credit, report.wholesale, report.prices)))
    assert "shop: usage records" in names


def test_a_broken_ledger_differs() -> None:
    assert differing(run(make_report(), {**AUDIT, "ok": False, "imbalance": "0.01"})) == [
        "ledger audit: ok",
        "ledger audit: imbalance",
    ]


def test_a_difference_shows_both_figures() -> None:
    line = Comparison("shop: retail", Fraction("0.0000333"), Fraction("0.5")).line()
    assert line.startswith("FAIL")
    assert "0.0000333" in line
    assert "0.50" in line


def test_prompt_tokens_of_the_upstream_include_cached_ones() -> None:
    usage = {"prompt_tokens": 15, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    assert usage_of(usage) == USAGE
    assert usage_of({"prompt_tokens": 15, "completion_tokens": 2}) == Usage(15, 0, 2)


def test_the_journal_is_read_in_order_without_answers_that_have_no_usage() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    entries = [
        {"model": "a", "stream": True, "usage": usage},
        {"model": "b", "stream": False, "usage": None},
        {"model": "c", "stream": False, "usage": usage},
    ]
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    assert [(line.model, line.stream) for line in read_journal(text)] == [("a", True), ("c", False)]
