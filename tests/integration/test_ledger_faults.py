"""The ledger writer when something breaks: callers that leave, lost connections, statements that fail."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, make_url, select, text, update

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.ledger import (
    Checkpoint,
    Item,
    LostLease,
    Posted,
    Settled,
    postgres,
    sqlite,
    writer,
)
from reseller_kit.db.ledger.postgres_sql import WRITE_ALONE
from reseller_kit.db.ledger.store import OutcomeUnknown
from reseller_kit.flows.audit import audit
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle, take, wallet
from tests.support.writer import fail_batches, outcomes

# An embedded database has no connection to lose.
on_postgres = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])
# What ends a transaction: the command, or calls that go at once, which alone have their tenants for a parameter.
COMMITS = re.compile(rb"COMMIT|\x00\x00\x00.\{[0-9,]+\}", re.DOTALL)
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% ledger'"


async def test_closing_waits_for_what_was_submitted(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))

        async def slowly(run: Callable[[], Awaitable[None]]) -> None:
            await asyncio.sleep(0.05)
            await run()

        fail_batches(ledger, slowly)
        waiting = [ledger.submit(hold(shop, 1)) for _ in range(300)]
        await asyncio.sleep(0)
    found = await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert all(isinstance(outcome, Hold) for outcome in found)
    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(ledger.submit(hold(shop, 1)), 30)


async def test_a_caller_that_left_before_its_hold_was_decided_gets_none(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 5)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        left = ledger.submit(hold(shop, 100))
        left.cancel()
        ending = ledger.submit(settle(shop, call, {"input": 1}))
        ending.cancel()
        await ledger.submit(hold(shop, 7))
    assert await wallet(db, shop.wallet_id) == (997, 7, 0)


async def test_no_call_waits_for_its_hold_behind_a_database_that_does_not_answer(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        ended = hold(shop, 5)
        await ledger.submit(ended)
        answers = asyncio.Event()

        async def hangs(run: Callable[[], Awaitable[None]]) -> None:
            await answers.wait()
            await run()

        fail_batches(ledger, hangs)
        with monkeypatch.context() as impatient:  # alone: what the database really answers may take longer
            impatient.setattr(writer, "_HOLD_WAIT_SECONDS", 0.1)
            impatient.setattr(writer, "_REFUSE_AGAIN_SECONDS", 0.05)
            ending = ledger.submit(settle(shop, ended, {"input": 1}))
            refused = [ledger.submit(hold(shop, 100))]
            await asyncio.sleep(0.05)
            refused.append(ledger.submit(hold(shop, 200)))
            found = await asyncio.wait_for(outcomes(refused), 30)
            found += await asyncio.wait_for(outcomes([ledger.submit(hold(shop, 300))]), 30)
        assert all(isinstance(outcome, ServiceUnavailable) for outcome in found)
        assert not ending.done()
        answers.set()
        assert isinstance(await ending, Settled)
        assert isinstance(await ledger.submit(hold(shop, 7)), Hold)
    # The one that was under way is held all the same; those behind it never were.
    assert await wallet(db, shop.wallet_id) == (997, 107, 0)


async def test_a_hold_that_may_be_durable_is_not_told_that_its_lease_was_lost(db: Database) -> None:
    """Whoever hears that places it again, and this one is there already: it is the sweep's."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))

        async def lose_the_answer(run: Callable[[], Awaitable[None]]) -> None:
            await run()
            async with db.write(EVERY_TENANT) as connection:
                await connection.execute(delete(t.lease))
            raise OutcomeUnknown

        fail_batches(ledger, lose_the_answer)
        (found,) = await outcomes([ledger.submit(hold(shop, 30))])
        assert isinstance(found, ServiceUnavailable)
        assert not isinstance(found, LostLease)
        (found,) = await outcomes([ledger.submit(hold(shop, 30))])
        assert isinstance(found, LostLease)
    assert await wallet(db, shop.wallet_id) == (1_000, 30, 0)


async def test_an_answer_lost_after_the_commit_is_found_again(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await asyncio.gather(
            ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)), ledger.submit(call)
        )
        lost = 0

        async def lose_the_answer(run: Callable[[], Awaitable[None]]) -> None:
            nonlocal lost
            await run()
            lost += 1
            if lost == 1:
                raise OutcomeUnknown

        fail_batches(ledger, lose_the_answer)
        items: list[Item] = [
            hold(shop, 30),
            settle(shop, call, {"input": 10}),
            grant(shop, 50),
            take(shop, 20),
            deposit(shop, -5),
        ]
        items += [hold(shop, 5_000), grant(shop, 8, key="k")]
        found = await outcomes([ledger.submit(item) for item in items])
        assert lost == 2
        assert [type(outcome) for outcome in found] == [Hold, Settled, Posted, Posted, Posted, HoldRefused, Posted]
        assert isinstance(found[0], Hold)
        assert (found[0].retail, found[0].retail_version, found[0].state) == (30, shop.retail, "open")
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000 - 30 + 50 - 20 + 8, 30, 0)
    assert await wallet(db, shop.reseller_wallet) == (1_000 - 20 - 5, 0, 0)


async def test_a_database_that_is_away_fails_everything_at_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        tries = 0
        away = True

        async def refuse(run: Callable[[], Awaitable[None]]) -> None:
            nonlocal tries
            tries += 1
            if away:
                raise ConnectionRefusedError
            await run()

        fail_batches(ledger, refuse)
        found = await outcomes([ledger.submit(hold(shop, 1)) for _ in range(100)])
        assert all(isinstance(outcome, ServiceUnavailable) for outcome in found)
        assert tries <= 4
        away = False
        assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
    assert await wallet(db, shop.wallet_id) == (1_000, 1, 0)


@on_postgres
async def test_a_lost_connection_is_made_anew(db: Database, backend: str) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        async with db.administer() as connection:
            await connection.execute(text(END_SESSIONS))
        assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
    assert await wallet(db, shop.wallet_id) == (1_000, 1, 0)


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A way to the database that swallows the answer to a commit and hangs up, as often as its list has entries."""
    target = make_url(url)
    cuts: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(target.host, target.port)
        swallow = False

        async def back() -> None:
            while data := await upstream.read(65536):
                if swallow:
                    break
                writer.write(data)
            writer.close()
            to_server.close()

        answers = asyncio.create_task(back())
        while data := await reader.read(65536):
            if cuts and COMMITS.search(data):
                swallow = bool(cuts.pop())
            to_server.write(data)
        to_server.close()
        await answers

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), cuts
    server.close()


@on_postgres
async def test_a_connection_that_breaks_at_the_commit_neither_loses_nor_doubles(db: Database, backend: str) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with cutting_proxy(db.url.render_as_string(hide_password=False)) as (url, cuts):
        far = Database(url)
        async with open_ledger(far) as ledger:
            await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
            await ledger.submit(call)
            for item, kind in (
                (hold(shop, 30), Hold),
                (settle(shop, call, {"input": 10}), Settled),
                (grant(shop, 5), Posted),
            ):
                cuts.append("cut")
                assert isinstance(await ledger.submit(item), kind)
                assert cuts == []
            cuts += ["cut", "cut"]
            with pytest.raises(ServiceUnavailable):
                await ledger.submit(grant(shop, 2, key="k"))
            assert await ledger.submit(grant(shop, 2, key="k")) is not None
            assert (await audit(db)).findings == []
        await far.close()
    assert await wallet(db, shop.wallet_id) == (1_000 - 30 + 5 + 2, 30, 0)


@on_postgres
async def test_calls_that_go_at_once_and_fail_in_an_unknown_way_are_neither_lost_nor_doubled(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        await ledger.submit(hold(shop, 1))
        fetchrow = asyncpg.Connection.fetchrow

        async def garbled(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
            answer = await fetchrow(connection, query, *arguments, **options)
            if query == WRITE_ALONE:
                monkeypatch.undo()
                raise asyncpg.InternalClientError("the answer makes no sense")
            return answer

        monkeypatch.setattr(asyncpg.Connection, "fetchrow", garbled)
        assert isinstance(await ledger.submit(hold(shop, 30, 1)), Hold)
        assert asyncpg.Connection.fetchrow is fetchrow
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000, 31, 0)


@on_postgres
@pytest.mark.parametrize("error", [asyncpg.SerializationError, asyncpg.DeadlockDetectedError])
async def test_a_batch_that_gives_way_to_others_is_decided_again(
    db: Database, monkeypatch: pytest.MonkeyPatch, error: type[asyncpg.PostgresError]
) -> None:
    """The server may read rows in another order than they are sent in, so who writes at once may be in a circle."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        await ledger.submit(hold(shop, 1))
        fetchrow, refused = asyncpg.Connection.fetchrow, []

        async def given_up(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
            if query == WRITE_ALONE:
                refused.append(query)
                raise error("others were first")
            return await fetchrow(connection, query, *arguments, **options)

        monkeypatch.setattr(asyncpg.Connection, "fetchrow", given_up)
        assert isinstance(await ledger.submit(hold(shop, 30, 1)), Hold)
        assert refused == [WRITE_ALONE]
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000, 31, 0)


@on_postgres
async def test_a_commit_that_fails_in_an_unknown_way_neither_loses_nor_doubles(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        execute = asyncpg.Connection.execute

        async def garbled(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
            answer = await execute(connection, query, *arguments, **options)
            if query == "COMMIT":
                monkeypatch.undo()
                raise asyncpg.InternalClientError("the answer makes no sense")
            return answer

        monkeypatch.setattr(asyncpg.Connection, "execute", garbled)
        assert isinstance(await ledger.submit(hold(shop, 30)), Hold)
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000, 30, 0)


async def test_another_processs_lock_is_waited_for(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.account).where(t.account.c.id == shop.wallet_id).values(debt_nano=0))
            waiting = [ledger.submit(hold(shop, 1)) for _ in range(10)]
            await asyncio.sleep(0.3)
            assert not any(future.done() for future in waiting)
        found = await asyncio.gather(*waiting)
    assert all(isinstance(outcome, Hold) for outcome in found)


# --- Atomicity --------------------------------------------------------------------------------------------------------


def break_statement(monkeypatch: pytest.MonkeyPatch, backend: str, number: int) -> None:
    """Every write from the `number`th on fails, in whatever batch it is."""
    numbers = itertools.count(1)

    def count() -> None:
        if next(numbers) >= number:
            raise RuntimeError("the statement failed")

    if backend == "sqlite":
        real_many = sqlite._many

        def many(connection: Any, statement: str, rows: Any, **options: Any) -> None:
            if rows:
                count()
            real_many(connection, statement, rows, **options)

        monkeypatch.setattr(sqlite, "_many", many)
        return
    real_parts, real_ask = postgres._write_parts, postgres._ask

    async def ask(*what: Any) -> Any:
        count()
        return await real_ask(*what)

    monkeypatch.setattr(postgres, "_ask", ask)

    async def write_parts(connection: Any, parts: Any) -> None:
        if any(part.parameters for part in parts):
            count()
        await real_parts(connection, parts)

    monkeypatch.setattr(postgres, "_write_parts", write_parts)


async def everything(db: Database) -> dict[str, list[Any]]:
    tables = ("account", "lot", "hold", "key_window", "txn", "entry", "usage_record", "operation")
    async with db.read(EVERY_TENANT) as connection:
        return {name: sorted(map(repr, await connection.execute(select(t.metadata.tables[name])))) for name in tables}


async def test_a_failure_between_any_two_statements_changes_nothing(
    db: Database, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100, 80, key_limit=5_000)
    statements = 5 if backend == "sqlite" else 2
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        await ledger.submit(call)
        before, number, faults = await everything(db), 0, 0
        items: list[Item] = [
            hold(shop, 50, 40, key_limit=5_000),
            settle(shop, call, {"input": 10}),
            grant(shop, 5, key="k"),
            Checkpoint(call.request.request_id, shop.tenant_id, "{}"),
        ]
        while True:
            number += 1
            with monkeypatch.context() as patched:
                break_statement(patched, backend, number)
                found = await outcomes([ledger.submit(item) for item in items])
            if not any(isinstance(outcome, Exception) for outcome in found):
                break
            faults += 1
            written = [outcome for outcome in found if not isinstance(outcome, Exception)]
            assert number > statements or written == []
            if not written:
                assert await everything(db) == before
        assert faults >= statements
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000 - 30 + 5, 50, 0)
