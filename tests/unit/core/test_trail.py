from __future__ import annotations

import pytest

from reseller_kit.core.trail import Difference, author_of, differences


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        ("member:ada@x.example", ("member", "ada@x.example")),
        ("customer:cus_1", ("customer", "cus_1")),
        ("token:tok_1", ("token", "tok_1")),
        ("cli:root", ("operator", "")),
        ("operator:op@platform.example", ("operator", "")),
        ("sweep", ("system", "")),
        ("", ("system", "")),
    ],
)
def test_the_operator_has_no_name(actor: str, shown: tuple[str, str]) -> None:
    assert author_of(actor) == shown


def test_what_did_not_change_is_left_out() -> None:
    assert differences({"a": 1, "b": {"c": "x"}}, {"a": 1, "b": {"c": "y"}, "d": [1]}) == (
        Difference("b.c", "x", "y"),
        Difference("d", None, "[1]"),
    )
    assert differences(None, {"on": True}) == (Difference("on", None, "true"),)
    assert differences({"on": True}, None) == (Difference("on", "true", None),)
    assert differences(None, None) == ()


@pytest.mark.parametrize(
    "facts",
    [
        {"wholesale.markup": "10%"},
        {"wholesale": {"markup": "10%"}},
        {"routing": {"models": {"m": {"routes": [{"upstream": "secret"}]}}}},
        {"routing.models": {"m": {"strategy": "x"}}},
        {"groups": [{"routing": {"models": {}}, "wholesale": {"markup": "5%"}}]},
        {"prices": {"cost": {"input": 1}}},
        {"cost": "0.25"},
        {"lines": [{"upstream": "secret"}]},
    ],
)
def test_nothing_of_the_operators_is_read(facts: dict[str, object]) -> None:
    assert differences(None, facts) == ()
    assert differences(facts, None) == ()
    assert differences(None, facts, everything=True) != ()


def test_the_resellers_own_markup_is_read() -> None:
    found = differences({"pricing.markup": "30%"}, {"pricing.markup": "40%", "wholesale.overdraft": "5.00"})
    assert found == (Difference("pricing.markup", "30%", "40%"), Difference("wholesale.overdraft", None, "5.00"))


def test_rows_of_a_list_are_told_apart() -> None:
    old = {"rules": [{"match": "gpt-*", "markup": "10%"}, {"match": "claude-*", "markup": "20%"}]}
    new = {"rules": [{"match": "claude-*", "markup": "25%"}, {"match": "gpt-*", "markup": "10%"}]}
    assert differences(old, new) == (Difference("rules.claude-*.markup", "20%", "25%"),)


def test_long_values_are_cut() -> None:
    (found,) = differences(None, {"text": "x" * 5_000})
    assert found.after is not None
    assert len(found.after) == 2_001
