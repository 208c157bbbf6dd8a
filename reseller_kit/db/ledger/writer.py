"""The process's one ledger writer: many callers, one durable commit at a time, no linger when idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ...core.errors import KitError, LedgerFault, Overloaded
from ...core.ids import new_id
from ...core.ledger import Hold, HoldRefused
from ..engine import Database, now_us
from .batch import Batch
from .items import Item, Outcome, PlaceHold
from .postgres import PostgresStore
from .sqlite import SqliteStore
from .store import OutcomeUnknown, Store

_MAX_BATCH: Final = 256
_MAX_PENDING: Final = 20_000
_HOLD_WAIT_SECONDS: Final = 5.0
_REFUSE_AGAIN_SECONDS: Final = 0.5
_AWAY: Final = frozenset({"08", "25", "53", "55", "57", "58"})
"""SQLSTATE classes of a database that is not there for anyone: connection, read-only standby, out of resources, lock
not to be had, shutting down, system error (PostgreSQL documentation, appendix A).
"""

_Waiting = tuple[Item, "asyncio.Future[Outcome]"]


class _Late:
    """Whether a batch that the database has not answered in time is over."""

    over = False


class LedgerWriter:
    """Collects items while a commit is under way and puts them into the next one.

    `owner` and `epoch` name this process's lease; "" for a process that places no holds.
    """

    def __init__(self, store: Store, *, owner: str = "", epoch: int = 0) -> None:
        self._store = store
        self.owner = owner
        self.epoch = epoch
        self._pending: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop
        """That it was started on."""
        self._closing = False
        self.on_batch: Callable[[int, float], object] | None = None
        """Told of each commit: how many items, and its seconds."""

    @property
    def waiting(self) -> int:
        """Items that wait for the next commit."""
        return len(self._pending)

    async def start(self) -> None:
        """Connect and begin to work."""
        await self._store.open()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._work(), name="ledger-writer")

    async def close(self) -> None:
        """Finish what was submitted, then disconnect."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._store.close()

    def submit(self, item: Item) -> asyncio.Future[Outcome]:
        """A future of the item's outcome, done once it is durable.

        It raises a KitError that the decision raised, LedgerFault when the item can't be written, LostLease when this
        process's epoch is over (a hold was not placed then), or Overloaded when the database is away; behind
        the last one the item may be durable all the same, and may be submitted again. A hold waits five seconds at
        most, then it is refused. One whose caller cancelled, or that was refused, before it was decided is not placed;
        anything else is carried out without an answer.
        """
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if self._closing or len(self._pending) >= _MAX_PENDING:
            future.set_exception(
                Overloaded("Too many requests are waiting. Please try again in a moment.", retry_after_seconds=1)
            )
            return future
        if not self._pending:  # else whoever was first has waked it
            self._wake.set()
        self._pending.append((item, future))
        return future

    def place(self, item: PlaceHold) -> asyncio.Future[Hold | HoldRefused]:
        """Submit a hold."""
        return self.submit(item)  # type: ignore[return-value]  # what a hold comes to

    async def _work(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                await asyncio.sleep(0)
                waiting, self._pending = self._pending[:_MAX_BATCH], self._pending[_MAX_BATCH:]
                # A hold that nobody waits for any more is not placed.
                waiting = [pair for pair in waiting if not (pair[1].done() and isinstance(pair[0], PlaceHold))]
                if waiting:
                    began = time.perf_counter()
                    await self._commit_in_time(waiting)
                    if self.on_batch is not None:
                        self.on_batch(len(waiting), time.perf_counter() - began)

    async def _commit_in_time(self, waiting: list[_Waiting]) -> None:
        """Commit however long it takes, but let no call wait for its hold behind a database that does not answer."""
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(_HOLD_WAIT_SECONDS, self._refuse_holds, waiting, late := _Late())
        try:
            await self._commit(waiting)
        finally:
            overdue.cancel()
            late.over = True

    def _refuse_holds(self, waiting: list[_Waiting], late: _Late) -> None:
        """Refuse the holds that wait, now and again until the batch is over. One may become durable all the same."""
        if late.over:
            return
        _fail_all(_holds([*waiting, *self._pending]), _unavailable(TimeoutError("the database does not answer")))
        asyncio.get_running_loop().call_later(_REFUSE_AGAIN_SECONDS, self._refuse_holds, waiting, late)

    async def _commit(self, waiting: list[_Waiting], *, again: bool = False, last: bool = False) -> None:
        """Run one batch. `again`: it may be durable already; `last`: a single item that failed before."""
        items = [item for item, _ in waiting]
        batch = Batch(items, owner=self.owner, epoch=self.epoch, now=now_us(), again=again)
        try:
            await self._store.run(batch)
        except KitError as error:
            if again:  # a hold may be durable under an epoch that is over
                _fail_all(_holds(waiting), _unavailable(error))
            _fail_all(waiting, error)
        except OutcomeUnknown as error:
            if again:
                _fail_all(waiting, _unavailable(error))
            else:
                await self._commit(waiting, again=True)
        except Exception as error:  # noqa: BLE001  # a poisoned item must not stop the writer, whatever its fault
            await self._isolate(waiting, error, again=again, last=last)
        else:
            for (_, future), outcome in zip(waiting, batch.outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    async def _isolate(self, waiting: list[_Waiting], error: Exception, *, again: bool, last: bool) -> None:
        """A batch that failed is tried again in halves, so that a poisoned item fails alone."""
        if is_away(error):
            _fail_all(waiting, _unavailable(error))
        elif len(waiting) > 1:
            middle = len(waiting) // 2
            await self._commit(waiting[:middle], again=again)
            await self._commit(waiting[middle:], again=again)
        elif not last:
            # What it collided with, in another process, is committed by now and decides differently.
            await self._commit(waiting, again=again, last=True)
        else:
            _fail_all(waiting, _unavailable(error) if _collided(error) else _unwritable(error))


def open_writer(db: Database, *, owner: str = "", epoch: int = 0) -> LedgerWriter:
    """A writer for the database's backend; call `start` before use."""
    store: Store = SqliteStore(db.path) if db.backend == "sqlite" else PostgresStore(db.postgres_dsn)
    return LedgerWriter(store, owner=owner, epoch=epoch)


def new_owner() -> str:
    """A lease name for one start of one process."""
    return new_id("own")


def is_away(error: Exception) -> bool:
    """Whether an error says that the database cannot be reached or written at all, rather than that a row is bad."""
    wrapped = getattr(error, "orig", None)  # SQLAlchemy's way
    if isinstance(error, OSError) or (isinstance(wrapped, Exception) and is_away(wrapped)):
        return True
    return type(error).__name__ in {"OperationalError", "InterfaceError"} or _sqlstate(error)[:2] in _AWAY


def _collided(error: Exception) -> bool:
    """Whether PostgreSQL ended the transaction for another one's sake (class 40, "transaction rollback")."""
    return _sqlstate(error)[:2] == "40"


def _sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _holds(waiting: list[_Waiting]) -> list[_Waiting]:
    return [pair for pair in waiting if isinstance(pair[0], PlaceHold)]


def _unwritable(error: Exception) -> LedgerFault:
    fault = LedgerFault("The request could not be booked. Please contact support.")
    fault.__cause__ = error
    return fault


def _unavailable(error: Exception) -> Overloaded:
    unavailable = Overloaded(
        "The service is not available right now. Please try again in a moment.", retry_after_seconds=1
    )
    unavailable.__cause__ = error
    return unavailable


def _fail_all(waiting: list[_Waiting], error: KitError) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
