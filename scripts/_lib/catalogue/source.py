"""Reads the first source's data file as a syntax tree of a few known shapes. Runs none of it.

The file is a list of calls such as `Provider(id=…, models=[ModelInfo(…)])`. Each becomes a `Node`; whatever has
another shape, and every price that is not an exact, finite decimal of 0 or more, is refused.
"""

from __future__ import annotations

import ast
import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct

from .fetch import SourceFault

_SHAPES: Final = frozenset(
    {
        "Provider",
        "ModelInfo",
        "ModelPrice",
        "TieredPrices",
        "Tier",
        "ConditionalPrice",
        "PriceVariant",
        "StartDateConstraint",
        "TimeOfDateConstraint",
        "ClauseEquals",
        "ClauseStartsWith",
        "ClauseEndsWith",
        "ClauseContains",
        "ClauseRegex",
        "ClauseOr",
        "ClauseAnd",
        "UsageExtractor",
        "UsageExtractorMapping",
        "ArrayMatch",
    }
)


class Node(Struct, frozen=True):
    """A call of a known shape: its name and its arguments by keyword."""

    shape: str
    fields: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument; the default where it was not given or is None."""
        value = self.fields.get(name)
        return default if value is None else value


def read_providers(text: str) -> list[Node]:
    """The providers in the file's order. Raises SourceFault."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "providers" and statement.value:
            found = _value(statement.value)
            if isinstance(found, list) and all(_is(node, "Provider") for node in found):
                return found
    raise SourceFault("the data file holds no list of providers")


def checked_price(value: object) -> Decimal:
    """USD per the source's unit. Raises SourceFault for a bool, a float, NaN, an infinity or less than 0."""
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise SourceFault(f"{value!r} is not a price")
    return value


def _is(value: object, shape: str) -> bool:
    return isinstance(value, Node) and value.shape == shape


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | int | bool | float)):
        return node.value
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call):
        return _call(node)
    raise _unknown(node)


def _call(node: ast.Call) -> Any:
    name = ast.unparse(node.func)
    if name == "Decimal":
        return _decimal(node)
    if name == "datetime.date":
        return dt.date(*map(_whole, node.args)).isoformat()
    if name == "datetime.time":
        return ast.unparse(node)
    if name not in _SHAPES or node.args or any(keyword.arg is None for keyword in node.keywords):
        raise _unknown(node)
    return Node(name, {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg})


def _decimal(node: ast.Call) -> Decimal:
    if len(node.args) != 1 or node.keywords:
        raise _unknown(node)
    text = _value(node.args[0])
    try:
        if not isinstance(text, str):
            raise InvalidOperation
        return checked_price(Decimal(text))
    except InvalidOperation:
        raise SourceFault(f"line {node.lineno}: {text!r} is not a decimal text") from None


def _whole(node: ast.expr) -> int:
    value = _value(node)
    if type(value) is not int:
        raise _unknown(node)
    return value


def _unknown(node: ast.expr) -> SourceFault:
    return SourceFault(f"line {node.lineno}: {ast.unparse(node)[:80]} is nothing that this reader knows")
