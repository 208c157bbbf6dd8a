"""Reads a migration's source and says what in it a version that runs already could not live with. Runs nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

ONLY_ADDS: Final = frozenset(
    {"create_table", "create_index", "add_column", "execute", "f", "get_bind", "get_context", "bulk_insert"}
)
NARROWS: Final = frozenset(
    {
        "create_unique_constraint",
        "create_check_constraint",
        "create_foreign_key",
        "create_primary_key",
        "create_exclude_constraint",
    }
)
"""Fine on a table that the same migration makes; on another one, rows of the older version may not fit."""
_TAKES: Final = re.compile(
    r"\b(DROP(?!\s+TRIGGER)|RENAME|TRUNCATE|DELETE\s+FROM|ALTER\s+(TABLE\s+\S+\s+)?ALTER|SET\s+NOT\s+NULL)\b",
    re.IGNORECASE,
)


def contractions(source: str, whole: AbstractSet[str]) -> list[str]:
    """What takes away, renames or narrows in `upgrade`, a line each.

    `whole`: tables that running servers write as records of all columns, so that these can't grow beneath them.
    """
    tree = ast.parse(source)
    made = {_text(call, 0) for call in _calls(tree) if _name(call) == "create_table"}
    found = []
    for call in _calls(tree):
        problem = _problem(call, made, whole)
        if problem:
            found.append(f"line {call.lineno}: {problem}")
    return found


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls on alembic's `op`, and on what `batch_alter_table` yields, in everything but `downgrade`."""
    for part in tree.body:
        if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade"):
            for node in ast.walk(part):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and _is_operation(node.func.value)
                ):
                    yield node


def _is_operation(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in {"op", "batch", "batch_op"}


def _problem(call: ast.Call, made: AbstractSet[str], whole: AbstractSet[str]) -> str | None:
    name, table = _name(call), _text(call, 0)
    if name == "batch_alter_table":
        return None  # what is done in it is looked at by itself
    if name in NARROWS:
        return None if _text(call, 1) in made else f"{name} may refuse what an older version writes"
    if name not in ONLY_ADDS:
        return f"{name} takes something away or changes it"
    if name == "create_index" and _is_true(call, "unique") and _text(call, 1) not in made:
        return "a unique index may refuse what an older version writes"
    if name == "execute":
        found = _TAKES.search(ast.unparse(call))
        return f"{found[0]} in SQL" if found else None
    if name == "add_column":
        return _column_problem(call, table, whole)
    return None


def _column_problem(call: ast.Call, table: str, whole: AbstractSet[str]) -> str | None:
    if table in whole:
        return f"versions of before 0040 write records of {table} itself: name 0040 in CONTRACTIONS"
    required = _is_false(call, "nullable")
    has_default = any(
        word.arg == "server_default" for node in ast.walk(call) if isinstance(node, ast.Call) for word in node.keywords
    )
    return "a required column without server_default" if required and not has_default else None


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _text(call: ast.Call, number: int) -> str:
    if len(call.args) <= number:
        return ""
    argument = call.args[number]
    return str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def _is_true(call: ast.Call, word: str) -> bool:
    return any(k.arg == word and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords)


def _is_false(call: ast.Call, word: str) -> bool:
    words = [k for node in ast.walk(call) if isinstance(node, ast.Call) for k in node.keywords]
    return any(k.arg == word and isinstance(k.value, ast.Constant) and k.value.value is False for k in words)
