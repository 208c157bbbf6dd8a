"""Every small bug that an operator can have: `<` for `<=`, a sum for a difference, rounding the other way, min for max.

Yields texts; runs nothing.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Pow: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Slip:
    """One change in a file: where, what stands there, what stands there then, and the whole file with it."""

    line: int
    before: str
    after: str
    text: str


def slips(source: str) -> Iterator[Slip]:
    """Each operator, comparison, `min` and `max` of a module, changed by itself."""
    tree = ast.parse(source)
    # Within f-strings positions are not those of the file.
    hidden = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in hidden or not isinstance(node, ast.expr | ast.AugAssign):
            continue
        for changed in _changed(node):
            before, after = ast.unparse(node), ast.unparse(ast.fix_missing_locations(changed))
            text = after if isinstance(node, ast.AugAssign) else f"({after})"
            yield Slip(node.lineno, before, after, _spliced(source, node, text))


def _changed(node: ast.expr | ast.AugAssign) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from _changed_comparisons(node)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        floor = copy.deepcopy(node)
        floor.left = ast.UnaryOp(ast.USub(), floor.left)
        yield ast.UnaryOp(ast.USub(), floor)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        changed = copy.deepcopy(node)
        changed.op = _ARITHMETIC[type(node.op)]()
        yield changed
    elif isinstance(node, ast.BoolOp):
        either = copy.deepcopy(node)
        either.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield either
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node.operand
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        call = copy.deepcopy(node)
        call.func = ast.Name(_CALLS[node.func.id], ast.Load())
        yield call


def _changed_comparisons(node: ast.Compare) -> Iterator[ast.expr]:
    for number, operator in enumerate(node.ops):
        changed = copy.deepcopy(node)
        changed.ops[number] = _COMPARISONS[type(operator)]()
        yield changed


def _spliced(source: str, node: ast.expr | ast.AugAssign, text: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    start, end = lines[first][: node.col_offset], lines[last][node.end_col_offset or 0 :]
    return b"".join([*lines[:first], start, text.encode(), end, *lines[last + 1 :]]).decode()
