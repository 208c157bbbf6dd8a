"""The ledger's transactions on SQLite. One connection; decides nothing.

Statements run on the event loop, where nothing competes for the interpreter: a batch of 64 takes about a
millisecond. Only what waits (another process's lock, the commit's fsync) goes to the one thread beside it.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache, partial
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec

from ...core.ledger import Txn
from .. import sqlite_driver
from . import cold_sqlite, columns
from .batch import Batch
from .memory import Memory, Version
from .needs import Needs
from .rows import Row
from .state import Loaded
from .store import LostLease, OutcomeUnknown

_LOG_PAGES: Final = 16_000
_REST_PAGES: Final = 2_000
_LOOK_EVERY: Final = 8
_LOCK_WAIT_MS: Final = 5_000
_ROWS_AT_ONCE: Final = 8
_ENTRIES_AT_ONCE: Final = 48
"""Starting a statement costs more than a row of it, and entries are by far the most rows."""
_INSERT: Final = "INSERT OR FAIL INTO"
"""Whatever fails is rolled back with its batch: a statement of several rows need not keep pages to be undone alone."""
_encode = msgspec.json.Encoder().encode


@cache
def _insert(table: str, names: Sequence[str], rows: int = 1) -> str:
    values = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    return f"{_INSERT} {table} ({', '.join(_quoted(names))}) VALUES {values}"


def _select(table: str, names: Sequence[str], where: str) -> str:
    return f"SELECT {', '.join(_quoted(names))} FROM {table} WHERE {where}"  # noqa: S608  # names come from `columns`, values are bound


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]


_ACCOUNTS = _select("account", columns.ACCOUNT_READ, "id IN (SELECT value FROM json_each(?))")
_LOTS = _select("lot", columns.LOT_READ, "NOT used_up AND wallet_id IN (SELECT value FROM json_each(?)) ORDER BY id")
_LOTS_BY_ID = _select("lot", columns.LOT_READ, "id IN (SELECT value FROM json_each(?))")
_DAYS = _select("lot_day", columns.DAY_READ, "lot_id IN (SELECT value FROM json_each(?))")
_WINDOWS = _select("key_window", columns.WINDOW_READ, "key_id = ? AND started_at = ?")
_HOLDS = _select("hold", columns.HOLD_READ, "request_id IN (SELECT value FROM json_each(?))")
_OPERATIONS = _select("operation", columns.OPERATION_READ, "tenant_id = ? AND operation = ? AND key = ?")
_TXNS = _select("txn", columns.TXN_READ, "id IN (SELECT value FROM json_each(?))")
_SINKS = "SELECT tenant_id, kind, id FROM account WHERE owner = '' AND tenant_id IN (SELECT value FROM json_each(?))"
_LEASE = "SELECT epoch, settled_from FROM lease WHERE owner = ?"
_FENCE = "SELECT at FROM rollup_mark WHERE name = 'fence'"
_UPDATE_ACCOUNT = "UPDATE account SET balance_nano = ?, reserved_nano = ?, debt_nano = ? WHERE id = ? AND tenant_id = ?"
_UPDATE_LOT = (
    "UPDATE lot SET remaining_nano = ?, reserved_nano = ?, consumed_nano = ?, expired_nano = ?, clawed_back_nano = ?,"
    " accrued_nano = ? WHERE id = ? AND wallet_id = ?"
)
_TURN_LOT = "UPDATE lot SET used_up = ? WHERE id = ? AND wallet_id = ?"
_UPSERT_WINDOW = (
    "INSERT INTO key_window (key_id, started_at, tenant_id, spent_nano, reserved_nano) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key_id, started_at) DO UPDATE SET spent_nano = excluded.spent_nano,"
    " reserved_nano = excluded.reserved_nano"
)
_UPSERT_LOT_DAY = (
    "INSERT INTO lot_day (lot_id, tenant_id, day, used_nano) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (lot_id) DO UPDATE SET day = excluded.day, used_nano = excluded.used_nano"
)
_APPROVE_PAYOUT = (
    "UPDATE payout SET state = ?, approved_at = ?, txn_id = ?"
    " WHERE id = ? AND tenant_id = ? AND amount_nano = ? AND state = 'requested'"
)
_RESOLVE_HOLD = "UPDATE hold SET state = ?, resolved_at = ? WHERE request_id = ? AND tenant_id = ? AND state = 'open'"
_CHECKPOINT = "UPDATE hold SET checkpoint = ? WHERE request_id = ? AND tenant_id = ? AND state = 'open'"
_INSERT_HOLDS = partial(_insert, "hold", columns.HOLD_INSERT)
_INSERT_LOT = _insert("lot", columns.LOT_INSERT)
_INSERT_TXNS = partial(_insert, "txn", columns.TXN_INSERT)
_INSERT_OPERATION = _insert("operation", columns.OPERATION_INSERT)
_INSERT_USAGE = partial(_insert, "usage_record", columns.USAGE_INSERT)


class SqliteStore:
    """The hot connection to the embedded database."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._sinks: dict[int, dict[str, int]] = {}
        self._memory = Memory()
        self._thread = _Thread()
        self._batches = 0
        self._copying: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the connection and start the thread that waits."""
        self._thread.start()
        # Hot rows are checked by `ledger audit`; foreign keys here would cost a lookup for each row of each call.
        self._connection = sqlite_driver.connect(self._path, foreign_keys=False)
        # A commit behind which a page was split looks at every page that is kept: 64 MB of them take 0.1 ms.
        self._connection.execute("PRAGMA cache_size = -16384")
        self._connection.execute(sqlite_driver.NO_WAITING)

    async def run(self, batch: Batch) -> None:
        """Run one batch as one transaction, durable when this returns."""
        connection = self._opened()
        self._batches += 1
        if self._batches % _LOOK_EVERY == 0:
            await self._shorten_log(connection)
        await self._begin(connection)
        try:
            self._check_lease(connection, batch)
            needs = batch.needs(self._memory)
            unknown = batch.recall(self._memory, dict.fromkeys(needs.wallets, _version(connection)))
            batch.load(_read(connection, needs, unknown))
            if days := batch.state.days_to_read():
                batch.state.load_days(connection.execute(_DAYS, (_encode(days).decode(),)).fetchall())
            batch.decide()
            self._write(connection, batch)
        except BaseException:
            _roll_back(connection)
            raise
        await self._commit(connection, batch)

    async def close(self) -> None:
        """Stop the thread and close the connection."""
        self._thread.stop()
        if self._copying is not None:
            await self._copying
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the ledger is not open")
        return self._connection

    async def _shorten_log(self, connection: sqlite3.Connection) -> None:
        """Have a long log copied into the database: most of it while commits go on, what they add between two of them.

        The next commit begins a log that is copied wholly anew. Hot pages are written again by every batch: the longer
        the log, the fewer times they are copied.
        """
        _, pages, copied = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        if pages < _LOG_PAGES or not (self._copying is None or self._copying.done()):
            return
        if pages - copied > _REST_PAGES:
            self._copying = asyncio.ensure_future(asyncio.to_thread(_copy_log, self._path))
        else:
            await self._thread.run(lambda: sqlite_driver.copy_log(connection))

    async def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute(sqlite_driver.BEGIN)
        except sqlite_driver.library.OperationalError as error:
            if "locked" not in str(error):
                raise
            await self._thread.run(
                lambda: sqlite_driver.begin(connection, _LOCK_WAIT_MS, afterwards=sqlite_driver.NO_WAITING)
            )

    async def _commit(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Commit, and meanwhile let the process remember what is committed then; whatever fails is forgotten."""
        memory = self._memory
        try:
            await self._thread.run(lambda: connection.execute("COMMIT"), lambda: batch.keep(memory))
        except BaseException as error:
            self._memory = Memory()
            if isinstance(error, sqlite_driver.library.Error):
                if not connection.in_transaction:
                    raise OutcomeUnknown from error
                _roll_back(connection)
            raise

    def _check_lease(self, connection: sqlite3.Connection, batch: Batch) -> None:
        if batch.owner:
            row = connection.execute(_LEASE, (batch.owner,)).fetchone()
            if row is None or row[0] != batch.epoch:
                raise LostLease
            batch.settled_from = row[1]
        elif batch.settles:
            batch.settled_from = connection.execute(_FENCE).fetchone()[0]

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> None:
        _many(connection, _INSERT_LOT, batch.state.lot_inserts())
        _many(connection, _UPDATE_ACCOUNT, batch.state.account_updates(), counted=True)
        _many(connection, _UPDATE_LOT, batch.state.lot_updates(), counted=True)
        _many(connection, _TURN_LOT, batch.state.lot_turns(), counted=True)
        _many(connection, _UPSERT_LOT_DAY, batch.state.lot_days())
        _many(connection, _UPSERT_WINDOW, batch.window_upserts())
        _insert_grouped(connection, _INSERT_HOLDS, batch.hold_inserts, _ROWS_AT_ONCE)
        _many(connection, _RESOLVE_HOLD, batch.hold_updates, counted=True)
        _many(connection, _CHECKPOINT, batch.checkpoint_rows())
        if batch.txns:
            _insert_grouped(connection, _INSERT_TXNS, batch.txn_rows(), _ROWS_AT_ONCE)
            self._find_sinks(connection, {txn.tenant_id for txn in batch.txns})
            _insert_entries(connection, batch.txns, self._sinks)
        _insert_grouped(connection, _INSERT_USAGE, batch.usage, _ROWS_AT_ONCE)
        _many(connection, _INSERT_OPERATION, batch.operations)
        cold_sqlite.write(connection, batch.cold)
        _many(connection, _APPROVE_PAYOUT, batch.payouts, counted=True)

    def _find_sinks(self, connection: sqlite3.Connection, tenants: set[int]) -> None:
        missing = [tenant_id for tenant_id in tenants if "breakage" not in self._sinks.get(tenant_id, ())]
        if missing:
            for tenant_id, kind, account_id in connection.execute(_SINKS, (_encode(missing).decode(),)):
                self._sinks.setdefault(tenant_id, {})[kind] = account_id


_Job: TypeAlias = tuple[Callable[[], Any], "asyncio.Future[Any]", Callable[[], object] | None]


class _Thread:
    """One thread that runs one waiting call at a time and hands its result to the event loop."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-commit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def run(self, call: Callable[[], Any], meanwhile: Callable[[], object] | None = None) -> asyncio.Future[Any]:
        """Begin a call; its result. `meanwhile` runs on the event loop, always before the result is there.

        It is the thread that asks for it: before a call is under way, the thread would wait for the interpreter's lock.
        """
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((call, future, meanwhile))
        # A cancelled caller must not run on while the thread still uses the connection.
        return asyncio.shield(future)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, future, meanwhile = job
            loop = future.get_loop()
            if meanwhile is not None:
                loop.call_soon_threadsafe(meanwhile)
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  # handed to the waiting caller, whatever it is
                loop.call_soon_threadsafe(_fail, future, error)
            else:
                loop.call_soon_threadsafe(_finish, future, result)


def _finish(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite ends the transaction itself on some errors, such as a full disk
        connection.execute("ROLLBACK")


def _copy_log(path: str) -> None:
    with suppress(sqlite_driver.library.Error), closing(sqlite_driver.connect(path)) as connection:
        sqlite_driver.copy_log(connection)


def _version(connection: sqlite3.Connection) -> Version:
    """What changes with every commit of another connection, and never with one of this."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0]), None


def _read(connection: sqlite3.Connection, needs: Needs, unknown: list[int]) -> Loaded:
    wallets = _encode(unknown).decode()
    return Loaded(
        accounts=connection.execute(_ACCOUNTS, (wallets,)).fetchall() if unknown else (),
        lots=connection.execute(_LOTS, (wallets,)).fetchall() if unknown else (),
        windows=[row for key in needs.windows for row in connection.execute(_WINDOWS, key)],
        holds=connection.execute(_HOLDS, (_encode(needs.holds).decode(),)).fetchall() if needs.holds else (),
        operations=[row for key in needs.operations for row in connection.execute(_OPERATIONS, key)],
        txns=connection.execute(_TXNS, (_encode(needs.txns).decode(),)).fetchall() if needs.txns else (),
        cold=cold_sqlite.read(connection, needs.cold) if needs.cold else None,
        named_lots=connection.execute(_LOTS_BY_ID, (_encode(needs.lots).decode(),)).fetchall() if needs.lots else (),
    )


def _insert_entries(
    connection: sqlite3.Connection, txns: Sequence[Txn], sinks: Mapping[int, Mapping[str, int]]
) -> None:
    by_lines: dict[int, list[list[int | str]]] = {}
    for txn in txns:
        own = sinks[txn.tenant_id]
        values: list[int | str] = [txn.id, txn.tenant_id]
        for entry in txn.entries:
            wallet_id = entry.wallet_id
            values.append(own[entry.account] if wallet_id is None else wallet_id)
            values.append(entry.amount)
        by_lines.setdefault(len(txn.entries), []).append(values)
    for lines, rows in by_lines.items():
        _insert_grouped(connection, partial(_insert_lines, lines), rows, max(1, _ENTRIES_AT_ONCE // lines))


@cache
def _insert_lines(lines: int, txns: int) -> str:
    """Statement for so many transactions of so many lines: of each its id, its tenant, a line's account and amount."""
    rows = []
    for first in range(1, txns * (2 + 2 * lines), 2 + 2 * lines):
        rows += [f"(?{first}, {n}, ?{first + 1}, ?{first + 2 + 2 * n}, ?{first + 3 + 2 * n})" for n in range(lines)]
    return f"{_INSERT} entry ({', '.join(_quoted(columns.ENTRY_INSERT))}) VALUES {', '.join(rows)}"


def _insert_grouped(
    connection: sqlite3.Connection, statement: Callable[[int], str], rows: Sequence[Row], at_once: int
) -> None:
    """Insert rows, so many by one statement, and what is left over one by one. `statement`: for a number of rows."""
    whole = len(rows) - len(rows) % at_once
    together = [tuple(chain(*rows[start : start + at_once])) for start in range(0, whole, at_once)]
    _many(connection, statement(at_once), together)
    _many(connection, statement(1), rows[whole:])


def _many(connection: sqlite3.Connection, statement: str, rows: Sequence[Row], *, counted: bool = False) -> None:
    if not rows:
        return
    cursor = connection.executemany(statement, rows)
    if counted and cursor.rowcount != len(rows):
        raise RuntimeError(f"{cursor.rowcount} of {len(rows)} rows were there to write")
