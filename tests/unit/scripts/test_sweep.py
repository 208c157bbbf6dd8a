"""The sweep of operators changes each by itself and nothing else."""

from __future__ import annotations

import ast

import pytest

from scripts._lib.sweep import slips


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", {"a <= b"}),
        ("a >= b", {"a > b"}),
        ("a is None", {"a is not None"}),
        ("a + b", {"a - b"}),
        ("a * b", {"a + b"}),
        ("a // b", {"-(-a // b)"}),
        ("-a", {"a"}),
        ("not a", {"a"}),
        ("a and b", {"a or b"}),
        ("min(a, b)", {"max(a, b)"}),
        ("a += 1", {"a -= 1"}),
        ("0 < a <= b", {"0 <= a <= b", "0 < a < b"}),
        ("f(a - b) * c", {"f(a - b) + c", "f(a + b) * c"}),
        ("f'{a + b} {c < d}'", set()),
        ("'ä' + b", {"'ä' - b"}),
        ("a = b", set()),
    ],
)
def test_each_operator_is_changed_by_itself(source: str, changed: set[str]) -> None:
    found = list(slips(f"{source}\n"))
    assert {ast.unparse(ast.parse(slip.text)) for slip in found} == {ast.unparse(ast.parse(text)) for text in changed}
    assert len(found) == len(changed)


def test_a_change_is_named_by_its_line_and_leaves_the_others_alone() -> None:
    source = "first = a < b  # kept\nsecond = (\n    c\n    - d\n)\n"
    (one, other) = sorted(slips(source), key=lambda slip: slip.line)
    assert (one.line, one.before, one.after) == (1, "a < b", "a <= b")
    assert one.text == source.replace("a < b", "(a <= b)")
    assert (other.line, other.before, other.after) == (3, "c - d", "c + d")
    assert other.text.splitlines()[0] == source.splitlines()[0]
