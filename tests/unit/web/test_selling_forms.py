"""The forms of prices and packages: rows that move, fields that become terms, and shares as texts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reseller_kit.core.errors import InvalidForm
from reseller_kit.theming.console_pricing import RuleRow
from reseller_kit.web.console.package_form import fields_in, texts_of
from reseller_kit.web.console.pricing_form import Typed, draft_in, edited, typed_in, typed_of, without_blanks
from reseller_kit.web.console.pricing_rows import percent_of, price_text
from reseller_kit.web.forms import Form


def form(fields: Mapping[str, str]) -> Form:
    return Form({name: (value,) for name, value in fields.items()})


def typed(*matches: str) -> Typed:
    fields = {f"rules.{number}.match": match for number, match in enumerate(matches)}
    return typed_in(form({"markup": "40%", "notice_days": "14", "allow": "*", "deny": "", **fields}))


@pytest.mark.parametrize(
    ("action", "order"),
    [
        ("up:1", "bac"),
        ("up:0", "abc"),
        ("down:1", "acb"),
        ("down:2", "abc"),
        ("down:99", "abc"),
        ("up:x", "abc"),
        ("remove-rule:1", "ac"),
        ("remove-rule:9", "abc"),
    ],
)
def test_rules_move(action: str, order: str) -> None:
    moved = edited(typed("a", "b", "c"), action)
    assert moved is not None
    assert "".join(rule.match for rule in moved.rules) == order


def test_other_actions_move_nothing() -> None:
    assert edited(typed("a"), "publish") is None
    assert edited(typed("a"), "") is None
    grown = edited(typed("a"), "add-rule")
    assert grown is not None
    assert grown.rules == (RuleRow(match="a"), RuleRow())
    assert without_blanks(grown).rules == (RuleRow(match="a"),)


def test_what_is_typed_becomes_a_draft_and_is_shown_so_again() -> None:
    fields = {
        "markup": "40%",
        "notice_days": "7",
        "rules.0.match": "gpt-*",
        "rules.0.input": "$1.50",
        "rules.0.more": "cached_input=0.2, images=0.04",
        "aliases.0.name": "fast",
        "aliases.0.model": "gpt-5-mini",
        "allow": "gpt-*\nclaude-*",
        "deny": "",
    }
    draft = draft_in(typed_in(form(fields)))
    assert draft.rules[0].prices == {"input": "1.50", "cached_input": "0.2", "images": "0.04"}
    assert draft.allow == ("gpt-*", "claude-*")
    assert draft_in(typed_of(draft)) == draft


@pytest.mark.parametrize("more", ["cached_input", "words=1", "cached_input=", "output=1 output=2"])
def test_other_prices_are_named_one_by_one(more: str) -> None:
    with pytest.raises(InvalidForm) as refused:
        draft_in(typed_in(form({"rules.0.match": "a", "rules.0.more": more})))
    assert list(refused.value.problems) == ["rules.0.more"]


def test_a_name_stands_once() -> None:
    names = {f"aliases.{number}.{part}": "x" for number in (0, 1) for part in ("name", "model")}
    with pytest.raises(InvalidForm):
        draft_in(typed_in(form(names)))


def test_a_package_has_the_terms_of_its_kind_alone() -> None:
    shown = {
        "title": "Big",
        "min": "$5",
        "max": "90",
        "presets": "10, 20",
        "bonus": "50=5%",
        "price": "3",
        "period": "month",
    }
    fields = fields_in(form(shown), "topup")
    assert fields["bonus"] == [{"from": "50", "percent": "5%"}]
    assert (fields["min"], fields["presets"], fields["price"], fields["period"]) == ("5", ["10", "20"], None, None)
    terms = {name: value for name, value in fields.items() if value is not None}
    assert texts_of(terms) == {
        "kind": "topup",
        "title": "Big",
        "min": "5",
        "max": "90",
        "presets": "10, 20",
        "bonus": "50=5%",
    }
    for kind, missing in (("package", "credits"), ("subscription", "credits")):
        with pytest.raises(InvalidForm) as refused:
            fields_in(form(shown), kind)
        assert list(refused.value.problems) == [missing]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 3, "33.3%"),
        (-1, 3, "−33.3%"),
        (0, 5, "0.0%"),
        (5, 5, "100.0%"),
        (1, 0, ""),
        (None, 5, ""),
        (-1, 10**6, "0.0%"),
    ],
)
def test_shares_are_rounded_to_a_tenth(part: int | None, whole: int, text: str) -> None:
    assert percent_of(part, whole) == text


def test_prices_are_shown_with_their_sign() -> None:
    assert price_text("input", 1_925_000) == "$1.925"
    assert price_text("input", -500_000) == "−$0.50"
    assert price_text("input", None) == ""
