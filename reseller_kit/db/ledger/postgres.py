"""The ledger's transactions on PostgreSQL, by asyncpg. One connection; decides nothing.

Calls whose wallets are remembered are decided first and go to the server at once: one function there locks, compares
the versions of what is remembered with what there is, and writes, in a transaction of its own. Where nobody else has
written for a while, another function locks by writing. All else is begun, locked, read, decided, written and committed,
one trip to the server each.

Rows travel as one array a column, or as one array of records where there are many columns (asyncpg looks at each
element of an array, but not into a record). What is written goes out in one statement where it can, one common table
expression a table: a round trip costs more than many rows do. Wallets, then key windows, are locked in id order; a
wallet's lock also guards its lots and holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from ...core.ledger import Floors
from .. import application_role
from ..scope import as_array
from . import cold_postgres, postgres_alone, postgres_at_once
from . import postgres_sql as sql
from .batch import Batch
from .differences import Found, learn
from .memory import Memory, Version
from .needs import Needs
from .postgres_arrays import Flat, transposed
from .rows import Row
from .state import Loaded
from .store import LostLease, OutcomeUnknown

_TIMEOUT_SECONDS: Final = 5
_ABANDONED_MS: Final = 2_000
"""A process that stands still inside a transaction loses it, and with it the locks that all others wait for."""

_BESIDE: Final = 64
_MOST_IN_VAIN: Final = 6

_BY_INDEX: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Rows are found by their keys. A plan that was made when a table was small must not read a large one."""

Connection: TypeAlias = Any
"""asyncpg ships no types; its connection is used by `fetch…` and `transaction` alone."""


class PostgresStore:
    """The hot connection to PostgreSQL, made anew after it was lost. `dsn` as asyncpg takes it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._sinks: dict[tuple[int, str], int] = {}
        self._memory = Memory()
        self._beside = 0
        """For how many batches it is noted what their decisions depend on: others write the same wallets."""
        self._in_vain = 0
        """How many batches in a row were decided on what another process had changed since."""
        self._in_steps = 0
        """How many batches are read first before the next is tried from memory."""

    async def open(self) -> None:
        """Connect."""
        await self._connected()

    async def run(self, batch: Batch) -> None:
        """Run one batch as one transaction, durable when this returns."""
        connection = await self._connected()
        needs = batch.needs(self._memory)
        remembered = batch.remembered(self._memory, needs)
        if remembered is None or self._in_steps:
            self._in_steps = max(0, self._in_steps - 1)
            await self._run_in_steps(connection, batch, needs)
        elif not await self._run_at_once(connection, batch, needs, *remembered):
            batch.begin_anew()
            await self._run_in_steps(connection, batch, batch.needs(self._memory))

    async def _run_at_once(
        self,
        connection: Connection,
        batch: Batch,
        needs: Needs,
        versions: Mapping[int, Version],
        window_versions: Sequence[int],
    ) -> bool:
        """Decide from memory and write. False, and nothing is written, if that is not all, or would not do any more."""
        batch.recall_all(self._memory, needs, versions)
        if self._beside:
            batch.floors = Floors()
        batch.decide()
        if batch.cold.overages:
            return False
        # Whose wallets are remembered, of that tenant the accounts that are no wallets are known as well.
        if batch.floors is None and postgres_alone.writes_all(batch, needs):
            arguments = postgres_alone.arguments(batch, needs, versions, self._sinks)
            own, *found = await _ask(connection, sql.WRITE_ALONE, arguments)
        else:
            arguments = postgres_at_once.arguments(batch, needs, versions, window_versions, self._sinks)
            own, *found = await _ask(connection, sql.WRITE, arguments)
        self._see_others(batch, written=own is not None, met=any(found))
        if own is None:
            return False
        if found:
            learn(batch.state, Found(*found), needs.windows)
        batch.keep(self._memory, own)
        return True

    def _see_others(self, batch: Batch, *, written: bool, met: bool) -> None:
        """Whether other processes write what this one writes decides how the next batches are run."""
        if batch.floors is None:
            self._beside = 0 if written else _BESIDE
        elif written:
            self._beside, self._in_vain = _BESIDE if met else self._beside - 1, 0
        else:
            # What has to be the same is written by others in turns: then it is no use to try each time.
            self._in_vain = min(self._in_vain + 1, _MOST_IN_VAIN)
            self._in_steps = 2**self._in_vain - 1

    async def _run_in_steps(self, connection: Connection, batch: Batch, needs: Needs) -> None:
        written = False
        try:
            await connection.execute(sql.BEGIN.format(tenants=as_array(needs.tenants)))
            try:
                own = await self._load(connection, batch, needs)
                batch.decide()
                await self._write(connection, batch, await self._sink_accounts(connection, needs.tenants))
                written = True
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
        except Exception as error:
            if not written and not _is_lost(connection, error):
                raise
            connection.terminate()
            raise OutcomeUnknown from error
        batch.keep(self._memory, own)

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._memory.forget()
            self._connection = await application_role.connect(
                self._dsn,
                timeout=_TIMEOUT_SECONDS,
                command_timeout=_TIMEOUT_SECONDS,
                server_settings={
                    "application_name": "reseller-kit ledger",
                    "idle_in_transaction_session_timeout": str(_ABANDONED_MS),
                    # What is compared under a lock must be what was committed last, whatever the database's own level.
                    "default_transaction_isolation": "read committed",
                    **_BY_INDEX,
                },
            )
        return self._connection

    async def _load(self, connection: Connection, batch: Batch, needs: Needs) -> int:
        """Lock and read; the number of this transaction."""
        accounts: list[Any] = []
        if needs.wallets:
            accounts = await connection.fetch(sql.ACCOUNTS, batch.owner, batch.epoch, Flat(needs.wallets))
        await _check_lease(connection, batch, accounts)
        versions = {row["id"]: (row["xmin"], row["newest"]) for row in accounts}
        unknown = set(batch.recall(self._memory, versions))
        batch.load(await _read(connection, needs, [row for row in accounts if row["id"] in unknown]))
        if days := batch.state.days_to_read():
            batch.state.load_days(await connection.fetch(sql.DAYS, days))
        return accounts[0]["own"] if accounts else 0

    async def _write(self, connection: Connection, batch: Batch, sinks: Mapping[tuple[int, str], int]) -> None:
        """Write what was decided."""
        accounts, lots = batch.state.account_updates(), batch.state.lot_updates()
        made = (
            _Part("lots_made", sql.INSERT_LOT, transposed(batch.state.lot_inserts())),
            _Part("checkpoints", sql.CHECKPOINT, transposed(batch.checkpoint_rows())),
        )
        holds_made = _Part("holds_made", sql.INSERT_HOLD, _records(batch.hold_inserts))
        resolved = batch.hold_updates
        changed = (
            _Part("accounts", sql.UPDATE_ACCOUNT, _records(accounts), len(accounts)),
            _Part("lots", sql.UPDATE_LOT, _records([_with_used_up(lot) for lot in lots]), len(lots)),
            _Part("lot_days", sql.UPSERT_LOT_DAY, transposed(batch.state.lot_days())),
            _Part("windows", sql.UPSERT_WINDOW, transposed(batch.window_upserts())),
            _Part("holds", sql.RESOLVE_HOLD, transposed(resolved), len(resolved)),
            _Part("txns", sql.INSERT_TXN, _records(batch.txn_rows())),
            _Part("entries", sql.INSERT_ENTRY, _records(batch.entry_rows(sinks))),
            _Part("records", sql.INSERT_USAGE, _records(batch.usage)),
            _Part("operations", sql.INSERT_OPERATION, transposed(batch.operations)),
            _Part("payouts", sql.APPROVE_PAYOUT, transposed(batch.payouts), len(batch.payouts)),
        )
        # Parts of one statement do not see each other's rows, and none may change what another one changes.
        if batch.touches_a_hold_twice:
            await _write_parts(connection, (*made, holds_made))
            await _write_parts(connection, changed)
        else:
            await _write_parts(connection, (*made, holds_made, *changed))
        await cold_postgres.write(connection, batch.cold)

    async def _sink_accounts(self, connection: Connection, tenants: Sequence[int]) -> dict[tuple[int, str], int]:
        missing = [tenant_id for tenant_id in tenants if (tenant_id, "breakage") not in self._sinks]
        if missing:
            rows = await connection.fetch(sql.SINKS, missing)
            self._sinks |= {(row["tenant_id"], row["kind"]): row["id"] for row in rows}
        return self._sinks


async def _ask(connection: Connection, statement: str, arguments: Sequence[Any]) -> Sequence[Any]:
    """What a function answers that writes a batch. Raises OutcomeUnknown, or what the server refused it with."""
    try:
        return await connection.fetchrow(statement, *arguments)  # type: ignore[no-any-return]
    except asyncpg.SerializationError:  # others have written what it was to write
        return (None,)
    except Exception as error:
        # What the server refuses, it has not committed.
        if isinstance(error, asyncpg.PostgresError) and not _is_lost(connection, error):
            raise
        connection.terminate()
        raise OutcomeUnknown from error


def _is_lost(connection: Connection, error: Exception) -> bool:
    broken = (
        ConnectionError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
    )
    return connection.is_closed() or isinstance(error, broken)


def _records(rows: Sequence[Row]) -> list[Any]:
    """The one parameter that holds rows as records of their table's `row_type`."""
    return [Flat(tuple(rows))] if rows else []


async def _check_lease(connection: Connection, batch: Batch, accounts: Sequence[Any]) -> None:
    """Raises LostLease unless the process's lease is what it was; it came with the accounts, if there are any."""
    if batch.owner:
        found = (
            accounts[0]["settled_from"] if accounts else await connection.fetchval(sql.LEASE, batch.owner, batch.epoch)
        )
        if found is None:
            raise LostLease
        batch.settled_from = found
    elif batch.settles:
        batch.settled_from = await connection.fetchval(sql.FENCE)


async def _read(connection: Connection, needs: Needs, accounts: Sequence[Any]) -> Loaded:
    """What is needed beside the accounts, of which these are not remembered."""
    unknown = Flat([row["id"] for row in accounts])
    return Loaded(
        accounts=accounts,
        windows=await connection.fetch(sql.WINDOWS, *transposed(needs.windows)) if needs.windows else (),
        lots=await connection.fetch(sql.LOTS, unknown) if accounts else (),
        holds=await connection.fetch(sql.HOLDS, Flat(needs.holds)) if needs.holds else (),
        operations=await connection.fetch(sql.OPERATIONS, *transposed(needs.operations)) if needs.operations else (),
        txns=await connection.fetch(sql.TXNS, needs.txns) if needs.txns else (),
        cold=await cold_postgres.read(connection, needs.cold) if needs.cold else None,
        named_lots=await connection.fetch(sql.LOTS_BY_ID, needs.lots) if needs.lots else (),
    )


class _Part(NamedTuple):
    """One table's share of a statement; without parameters it is left out.

    `expected`: how many rows must be affected; None where none can be missing, or it does not matter.
    """

    name: str
    statement: str
    parameters: list[Any]
    expected: int | None = None


async def _write_parts(connection: Connection, parts: Sequence[_Part]) -> None:
    """Write several tables in one round trip. Raises RuntimeError when a row to be changed was not there."""
    present = [part for part in parts if part.parameters]
    if not present:
        return
    counted = [part for part in present if part.expected is not None]
    statement = _joined(
        tuple((part.name, part.statement, len(part.parameters), part.expected is not None) for part in present)
    )
    counts = await connection.fetchrow(statement, *chain.from_iterable(part.parameters for part in present))
    for part, count in zip(counted, counts, strict=True):
        if part.expected != count:
            raise RuntimeError(f"{part.name}: {count} of {part.expected} rows were there to write")


@lru_cache(maxsize=256)
def _joined(parts: tuple[tuple[str, str, int, bool], ...]) -> str:
    """One statement that carries out each part and answers with the rows that each one affected that is counted."""
    shares, first, counted = [], 0, []
    for name, statement, parameters, is_counted in parts:
        shares.append(f"{name} AS ({_renumbered(statement, first)}{' RETURNING 1' if is_counted else ''})")
        first += parameters
        if is_counted:
            counted.append(f"(SELECT count(*) FROM {name})")  # noqa: S608  # names as in `_write`
    counts = ", ".join(counted)
    return f"WITH {', '.join(shares)} SELECT {counts}"


def _renumbered(statement: str, by: int) -> str:
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", statement)


def _with_used_up(row: Row) -> Row:
    """A lot's update that also says whether anything remains; indexes are touched only where that is new."""
    return (*row[:6], row[0] == 0, *row[6:])
