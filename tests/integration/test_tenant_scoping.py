"""A linter over the package's own source: every query of tenant data names its tenant (docs/architecture.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import reseller_kit
from reseller_kit.db.tables import UNSCOPED, metadata

PACKAGE = Path(reseller_kit.__file__).parent
DB = PACKAGE / "db"
SCOPED = frozenset(metadata.tables) - UNSCOPED

# What touches tenant data without a tenant, each with its reason. `operator*` modules are the operator's own reads.
WITHOUT_TENANT = {
    "leases.orphan_holds": "the sweep resolves the holds of dead processes, which serve every tenant",
    "leases.open_holds": "a process looks after all of its own holds",
    "leases.open_ids": "part of the same",
    "leases._open_calls": "no query yet: orphan_holds and open_holds narrow it",
    "snapshot.read_shared": "a process serves every tenant and picks one by the request's host",
    "snapshot.read_tenants": "the tenants that a process serves, many at once",
    "snapshot._prices_in_force": "part of read_tenants",
    "snapshot._costs": "the operator's costs, by version",
    "rollup_sums.record_rows": "no query yet: rollups.sums adds the tenant, operator_rollups stands without",
    "rollup_sums.total_rows": "no query yet: usage_totals adds the tenant, operator_rollups stands without",
    "audit_log.narrowed": "no query yet: search adds the tenant, operator.audit_search stands without",
    "usage.narrowed": "no query yet: page and find add the tenant, operator.usage_page stands without",
}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|PRAGMA\s|(CREATE|ALTER|DROP)\s+TABLE\s)",
    re.DOTALL | re.IGNORECASE,
)


def modules() -> list[Path]:
    """The query modules. The ledger's hot batch is not among them: it checks each row's tenant itself."""
    apart = {DB / name for name in ("ledger", "migrations", "tables")}
    return sorted(
        path for path in DB.rglob("*.py") if not path.stem.startswith("operator") and apart.isdisjoint(path.parents)
    )


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_tables(tree: ast.Module) -> dict[str, str]:
    """Local name → table, of tables that a module imports by name."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("tables")
        for alias in node.names
    }


def touched(function: ast.AST, by_name: dict[str, str]) -> set[str]:
    """The tables that a function's body names: `t.lot`, or `lot` where it is imported."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"t", "tables"}:
            found.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in by_name:
            found.add(by_name[node.id])
    return found & SCOPED


def complaint(function: ast.FunctionDef | ast.AsyncFunctionDef, tables: set[str]) -> str | None:
    """Why a function that touches these tables is refused; None when it is in order."""
    names = [argument.arg for argument in function.args.posonlyargs + function.args.args]
    if "connection" in names[:1]:
        names = names[1:]
    shown = ", ".join(sorted(tables))
    if names[:1] != ["tenant_id"]:
        return f"{function.name} touches {shown} and does not take tenant_id first (after the connection)"
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "tenant_id"]
    return None if uses else f"{function.name} takes tenant_id and does not use it"


def complaints(source: str, module: str) -> list[str]:
    tree = ast.parse(source)
    by_name = imported_tables(tree)
    found = []
    for function in functions(tree):
        tables = touched(function, by_name)
        if tables and f"{module}.{function.name}" not in WITHOUT_TENANT:
            problem = complaint(function, tables)
            if problem is not None:
                found.append(f"db/{module}.py:{function.lineno}: {problem}")
    return found


def test_every_query_of_tenant_data_names_its_tenant() -> None:
    found = [text for path in modules() for text in complaints(path.read_text(), path.stem)]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    known = {
        f"{path.stem}.{function.name}" for path in modules() for function in functions(ast.parse(path.read_text()))
    }
    assert set(WITHOUT_TENANT) <= known


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("async def f(connection, tenant_id): return select(t.lot).where(t.lot.c.tenant_id == tenant_id)", ""),
        ("async def f(connection): return select(t.upstream)", ""),
        ("async def f(connection): return select(t.lot)", "does not take tenant_id first"),
        ("async def f(connection, key, tenant_id): return t.api_key, tenant_id", "does not take tenant_id first"),
        ("async def f(connection, *, tenant_id): return t.api_key, tenant_id", "does not take tenant_id first"),
        ("async def f(connection, tenant_id): return select(t.lot)", "does not use it"),
        ("from .tables import hold\nasync def f(connection): return select(hold)", "touches hold"),
        ("from . import tables\ndef f(): return select(tables.customer)", "touches customer"),
        ("class A:\n    async def f(self, connection): return select(t.entry)", "touches entry"),
    ],
)
def test_the_linter_sees_what_it_should(source: str, problem: str) -> None:
    found = complaints(source, "example")
    assert bool(found) == bool(problem)
    assert all(problem in text for text in found)


def test_sql_is_written_in_db_alone() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if DB not in path.parents
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert found == []


def test_every_table_of_tenant_data_has_its_tenant() -> None:
    assert {name for name, table in metadata.tables.items() if "tenant_id" not in table.columns} == UNSCOPED
