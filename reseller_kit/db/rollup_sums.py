"""How usage records sum up, as expressions that both databases take. Runs nothing.

A quantity that is not a whole number counts as nothing here: `ledger audit` names such a record by itself.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    cast,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Subquery
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ..core.days import QUARTER_US
from ..core.times import DAY_US
from ..core.usage import INPUT_TOKENS
from . import tables as t

GRAIN: Final = ("tenant_id", "customer_id", "quarter_at", "model", "key_id")

_AMOUNTS: Final = ("retail_nano", "wholesale_nano", "cost_nano")
_CLASSES: Final = tuple(name for name in t.SUMMED if name != "calls" and name not in _AMOUNTS)
_WHOLE_NUMBERS: Final = r"""^\{( *"[a-z0-9_]+": *[0-9]{1,15} *(, *"[a-z0-9_]+": *[0-9]{1,15} *)*)?\}$"""
_FRACTIONS_AND_TEXTS: Final = ("*[0-9][.eE]*", '*: "*', '*:"*')


class _Document(FunctionElement[Any]):
    """The JSON text if it is sound, else null."""

    inherit_cache = True
    name = "rk_document"


class _Quantity(FunctionElement[int]):
    """A class's whole number in such a document; 0 if there is none."""

    inherit_cache = True
    name = "rk_quantity"
    type = BigInteger()


@compiles(_Document, "sqlite")
def _sqlite_document(element: _Document, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    odd = " AND ".join(f"{column} NOT GLOB '{pattern}'" for pattern in _FRACTIONS_AND_TEXTS)
    return f"CASE WHEN json_valid({column}) AND {odd} THEN {column} END"


@compiles(_Document, "postgresql")
def _postgres_document(element: _Document, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"CASE WHEN {column} ~ '{_WHOLE_NUMBERS}' THEN CAST({column} AS jsonb) END"


@compiles(_Quantity, "sqlite")
def _sqlite_quantity(element: _Quantity, compiler: SQLCompiler, **options: Any) -> str:
    document, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"coalesce(json_extract({document}, '$.' || {name}), 0)"


@compiles(_Quantity, "postgresql")
def _postgres_quantity(element: _Quantity, compiler: SQLCompiler, **options: Any) -> str:
    document, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"coalesce(CAST({document} ->> {name} AS bigint), 0)"


def quarter_of(at: ColumnElement[int]) -> ColumnElement[int]:
    """The quarter of an hour that a moment lies in, by its start in µs."""
    return at - at % QUARTER_US


def total(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum that stays an integer of 64 bits; PostgreSQL's own is wider."""
    return cast(func.sum(column), BigInteger)


def record_rows(*conditions: ColumnElement[bool]) -> Subquery:
    """Usage records as rows of the rollups' columns, one each."""
    u = t.usage_record.c
    # The offset keeps the database from parsing each document once for every class.
    read = (
        select(
            u.tenant_id,
            u.customer_id,
            quarter_of(u.created_at).label("quarter_at"),
            u.model,
            u.key_id,
            _Document(u.quantities).label("document"),
            *(u[name] for name in _AMOUNTS),
        )
        .where(*conditions)
        .offset(0)
        .subquery("read")
    )
    # nosemgrep: sql-put-together – price classes of ours
    quantities = [_Quantity(read.c.document, literal_column(f"'{name}'")).label(name) for name in _CLASSES]
    return select(
        *(read.c[name] for name in GRAIN),
        literal_column("1").label("calls"),
        *quantities,
        *(read.c[name] for name in _AMOUNTS),
    ).subquery("records")


def total_rows(*conditions: ColumnElement[bool]) -> Subquery:
    """The same records as rows of `usage_total`'s sums, with the rollups' grain."""
    u = t.usage_record.c
    grain = (u.tenant_id, u.customer_id, quarter_of(u.created_at).label("quarter_at"), u.model, u.key_id)
    read = (
        select(*grain, _Document(u.quantities).label("document"), u.retail_nano)
        .where(*conditions)
        .offset(0)
        .subquery("read")
    )
    # nosemgrep: sql-put-together – price classes of ours
    quantity = {name: _Quantity(read.c.document, literal_column(f"'{name}'")) for name in (*INPUT_TOKENS, "output")}
    return select(
        *(read.c[name] for name in GRAIN),
        literal_column("1").label("calls"),
        sum((quantity[name] for name in INPUT_TOKENS[1:]), quantity[INPUT_TOKENS[0]]).label("input_tokens"),
        quantity["output"].label("output_tokens"),
        read.c.retail_nano,
    ).subquery("light")


def as_totals(rows: FromClause) -> CompoundSelect[Any]:
    """Such rows as `usage_total` holds them: by quarter of all models and keys, and by day of each."""
    at, day = rows.c.quarter_at, rows.c.quarter_at - rows.c.quarter_at % DAY_US
    sums = [total(rows.c[name]).label(name) for name in t.TOTALLED]
    owner = (rows.c.tenant_id, rows.c.customer_id)
    nothing: ColumnElement[str] = literal_column("''")
    quarters = select(*owner, literal_column("'quarter'"), at, nothing, nothing, *sums).group_by(*owner, at)
    each = (rows.c.model, rows.c.key_id)
    days = select(*owner, literal_column("'day'"), day, *each, *sums).group_by(*owner, day, *each)
    return union_all(quarters, days)


def summed(rows: FromClause, *, whole_storefront: bool = False) -> Select[Any]:
    """One row for each combination of the grain; of the whole storefront, without customer and key."""
    blank = {"customer_id", "key_id"} if whole_storefront else set()
    keys = [literal_column("''").label(name) if name in blank else rows.c[name] for name in GRAIN]
    statement = select(*keys, *(total(rows.c[name]).label(name) for name in t.SUMMED))
    return statement.group_by(*(rows.c[name] for name in GRAIN if name not in blank))
