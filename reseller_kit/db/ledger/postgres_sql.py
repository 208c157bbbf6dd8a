"""The hot statements of the ledger on PostgreSQL, made from the names of `columns`. Runs none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..scope import SETTING
from . import columns

_BIGINTS: Final = frozenset(
    {
        "id",
        "tenant_id",
        "wallet_id",
        "reseller_wallet_id",
        "account_id",
        "window_started_at",
        "started_at",
        "day",
        "created_at",
        "expires_at",
        "approved_at",
        "resolved_at",
        "settled_at",
        "output_limit",
        "epoch",
        "delivered_characters",
        "reasoning_tokens",
    }
)
_INTEGERS: Final = frozenset({"line", "priority", "http_status", "attempts", "latency_ms", "first_byte_ms"})
_BOOLEANS: Final = frozenset({"stream", "usage_capped", "used_up"})
_TEXT_IDS: Final = frozenset({"lot", "payout", "txn", "usage_record"})


def row_type(table: str) -> str:
    """The type of a table's records. A migration fixes it, so servers at work go on when the table gets a column.

    A version that writes other columns than `RECORDS` has now makes types of the next number.
    """
    return f"{table}_row_1"


def _type(table: str, name: str) -> str:
    if name in _BOOLEANS:
        return "boolean"
    if name in _INTEGERS:
        return "integer"
    if name.endswith("_nano") or (name in _BIGINTS and not (name == "id" and table in _TEXT_IDS)):
        return "bigint"
    return "text"


def _insert(table: str, names: Sequence[str], jsonb: Sequence[str] = ()) -> str:
    arrays = ", ".join(f"${i}::{_type(table, name)}[]" for i, name in enumerate(names, 1))
    values = ", ".join(f'v."{name}"::jsonb' if name in jsonb else f'v."{name}"' for name in names)
    return f"INSERT INTO {table} ({_names(names)}) SELECT {values} FROM unnest({arrays}) AS v({_names(names)})"  # noqa: S608  # names come from `columns`, values are bound


def _insert_records(table: str, names: Sequence[str]) -> str:
    values = ", ".join(f'v."{name}"' for name in names)
    return f"INSERT INTO {table} ({_names(names)}) SELECT {values} FROM unnest($1::{row_type(table)}[]) AS v"  # noqa: S608  # names come from `columns`, values are bound


def _update(table: str, changed: Sequence[str], found_by: Sequence[str], extra: str = "") -> str:
    names = (*changed, *found_by)
    arrays = ", ".join(f"${i}::{_type(table, name)}[]" for i, name in enumerate(names, 1))
    sets = ", ".join(f'"{name}" = v."{name}"' for name in changed)
    where = " AND ".join(f'{table}."{name}" = v."{name}"' for name in found_by)
    return f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS v({_names(names)}) WHERE {where}{extra}"  # noqa: S608  # names come from `columns`, values are bound


def _update_records(table: str, changed: Sequence[str], found_by: Sequence[str]) -> str:
    sets = ", ".join(f'"{name}" = v."{name}"' for name in changed)
    where = " AND ".join(f'{table}."{name}" = v."{name}"' for name in found_by)
    return f"UPDATE {table} SET {sets} FROM unnest($1::{row_type(table)}[]) AS v WHERE {where}"  # noqa: S608  # names come from `columns`, values are bound


def _names(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _select(table: str, names: Sequence[str], where: str, json_text: str = "") -> str:
    shown = ", ".join(f'"{name}"::text' if name == json_text else f'"{name}"' for name in names)
    return f"SELECT {shown} FROM {table} WHERE {where}"  # noqa: S608  # names come from `columns`, values are bound


# The lease is asked for beside the wallets: it stays as it is until the batch is committed. `xmin` is the transaction
# that wrote a row. `newest` is as of before the lock; who changed lots meanwhile has changed the wallet's row as well.
LEASE = "SELECT settled_from FROM lease WHERE owner = $1 AND epoch = $2 FOR SHARE"
_NEWEST = "SELECT max(lot.xmin::text::bigint) FROM lot WHERE NOT lot.used_up AND lot.wallet_id = account.id"
ACCOUNTS = (
    f"SELECT {_names(columns.ACCOUNT_READ)}, xmin, pg_current_xact_id()::xid AS own,"  # noqa: S608  # names come from `columns`, values are bound
    f" ({_NEWEST}) AS newest, ({LEASE}) AS settled_from"
    " FROM account WHERE id = ANY($3::bigint[]) ORDER BY id FOR UPDATE"
)
LOTS = _select("lot", columns.LOT_READ, "NOT used_up AND wallet_id = ANY($1::bigint[]) ORDER BY id", "models")
LOTS_BY_ID = _select("lot", columns.LOT_READ, "id = ANY($1::text[])", "models")
DAYS = _select("lot_day", columns.DAY_READ, "lot_id = ANY($1::text[])")
WINDOWS = _select(
    "key_window",
    (*columns.WINDOW_READ, "xmin"),
    "(key_id, started_at) IN (SELECT * FROM unnest($1::text[], $2::bigint[])) ORDER BY key_id, started_at FOR UPDATE",
)
HOLDS = _select("hold", columns.HOLD_READ, "request_id = ANY($1::text[])")
OPERATIONS = _select(
    "operation",
    columns.OPERATION_READ,
    "(tenant_id, operation, key) IN (SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]))",
    "outcome",
)
TXNS = _select("txn", columns.TXN_READ, "id = ANY($1::text[])")
SINKS = "SELECT tenant_id, kind, id FROM account WHERE owner = '' AND tenant_id = ANY($1::bigint[])"
# The batch's tenants, for the policies, travel with what is sent anyway. Numbers alone: there is nothing to quote.
# Each statement must see what was committed while it waited for its locks.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL " + SETTING + " = '{tenants}'"
WRITE = f"SELECT * FROM ledger_write_2({', '.join(f'${i}' for i in range(1, 38))})"  # noqa: S608  # values are bound
"""What a batch of calls writes, in one trip; the parameters stand in the migration that made the function."""
WRITE_ALONE = f"SELECT ledger_write_3({', '.join(f'${i}' for i in range(1, 19))})"  # values are bound
"""The same where nobody else writes its wallets, and it writes all that it is decided on."""
FENCE = "SELECT at FROM rollup_mark WHERE name = 'fence' FOR SHARE"
UPDATE_ACCOUNT = _update_records("account", columns.ACCOUNT_CHANGED, ("id", "tenant_id"))
UPDATE_LOT = _update_records("lot", (*columns.LOT_CHANGED, "used_up"), ("id", "wallet_id"))
UPSERT_WINDOW = (
    _insert("key_window", ("key_id", "started_at", "tenant_id", "spent_nano", "reserved_nano"))
    + " ON CONFLICT (key_id, started_at) DO UPDATE SET spent_nano = excluded.spent_nano,"
    " reserved_nano = excluded.reserved_nano"
)
UPSERT_LOT_DAY = (
    _insert("lot_day", ("lot_id", "tenant_id", "day", "used_nano"))
    + " ON CONFLICT (lot_id) DO UPDATE SET day = excluded.day, used_nano = excluded.used_nano"
)
APPROVE_PAYOUT = _update(
    "payout",
    ("state", "approved_at", "txn_id"),
    ("id", "tenant_id", "amount_nano"),
    extra=" AND payout.state = 'requested'",
)
# Not `=`, which is the predicate of the index of open holds. By statistics of a quiet moment that index is empty: it
# would be read whole for each batch, with what was open since the last vacuum, and compared with each row.
_IS_OPEN = " AND hold.state IS NOT DISTINCT FROM 'open'"
RESOLVE_HOLD = _update("hold", ("state", "resolved_at"), ("request_id", "tenant_id"), extra=_IS_OPEN)
CHECKPOINT = _update("hold", ("checkpoint",), ("request_id", "tenant_id"), extra=_IS_OPEN)
INSERT_HOLD = _insert_records("hold", columns.HOLD_INSERT)
INSERT_LOT = _insert("lot", columns.LOT_INSERT, jsonb=("models",))
INSERT_TXN = _insert_records("txn", columns.TXN_INSERT)
INSERT_ENTRY = _insert_records("entry", columns.ENTRY_INSERT)
INSERT_OPERATION = _insert("operation", columns.OPERATION_INSERT, jsonb=("outcome",))
INSERT_USAGE = _insert_records("usage_record", columns.USAGE_INSERT)
RECORDS: Final = {
    "account": (*columns.ACCOUNT_CHANGED, "id", "tenant_id"),
    "lot": (*columns.LOT_CHANGED, "used_up", "id", "wallet_id"),
    "hold": columns.HOLD_INSERT,
    "txn": columns.TXN_INSERT,
    "entry": columns.ENTRY_INSERT,
    "usage_record": columns.USAGE_INSERT,
}
"""Tables whose rows travel as records → the columns of `row_type`, in its order. For `account` and `lot` what changes
and what it is found by.
"""
LOT_DIFFERENCE: Final = ("lot_row_2", (*columns.LOT_CHANGED, "id", "wallet_id"))
"""The type of a lot's differences, and its columns. A wallet's have the type of its row."""
ALONE: Final = {
    "account": ("account_row_2", ("version", *columns.ACCOUNT_CHANGED, "id", "tenant_id")),
    "key_window": ("key_window_row_1", ("version", "spent_nano", "reserved_nano", "key_id", "started_at", "tenant_id")),
    "lot": ("lot_row_3", ("version", *columns.LOT_CHANGED, "id", "wallet_id")),
    "lot_day": ("lot_day_row_1", ("lot_id", "tenant_id", "day", "used_nano")),
}
"""Tables whose rows `WRITE_ALONE` takes as records of their own → type and columns. `version` is the row's `xmin`."""
HOLD_RECORDS: Final = {
    "hold_checkpoint_row_1": ("checkpoint", "request_id", "tenant_id"),
    "hold_end_row_1": ("state", "resolved_at", "request_id", "tenant_id"),
}
"""What `WRITE_ALONE` changes of holds: type → columns."""
