"""The store of responses on both databases: whose they are, how long they stay, what a fault leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import Raw, structs
from sqlalchemy import func, select, update

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.ids import new_id
from reseller_kit.db import responses
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import kept_responses
from reseller_kit.flows.kept_responses import KeptResponses, Owner, drop_expired
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import Vault, WrongSecretKey
from reseller_kit.wire.openai_responses.kept import KeptResponse, dump, history_of
from tests.support import factories as make


class Stand:
    """A store with the work that it began, and two customers of one tenant and one of another."""

    def __init__(self, db: Database, vault: Vault, owners: list[Owner]) -> None:
        self.db, self.vault, self.owners = db, vault, owners
        self.tasks: list[asyncio.Task[Any]] = []
        self.customer_bytes = 1_000_000
        self.store = self.another()

    def another(self) -> KeptResponses:
        """The store of another process."""
        return KeptResponses(self.db, self.vault, self._spawn, self.customer_bytes)

    def _spawn(self, work: Any, _name: str) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def written(self) -> None:
        """What was put is durable."""
        await asyncio.gather(*self.tasks)

    def put(self, owner: Owner, text: str, previous: str | None = None, days: int = 30) -> str:
        """Keep a response that says `text`."""
        response_id = new_id("resp")
        self.store.put(owner, response_id, previous, kept(response_id, text), days)
        return response_id


@pytest.fixture
async def stand(db: Database) -> AsyncIterator[Stand]:
    await make.make_platform(db)
    ours, theirs = await make.make_tenant(db, "ours"), await make.make_tenant(db, "theirs")
    customers = [await make.make_customer(db, tenant) for tenant in (ours, ours, theirs)]
    vault = await unlock(db, make.SECRET_KEY)
    found = Stand(db, vault, [Owner(customer.tenant_id, customer.id) for customer in customers])
    yield found
    await found.written()


def kept(response_id: str, text: str) -> KeptResponse:
    output = b'{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"%b!"}]}' % text.encode()
    response = b'{"id":"%b","output":[%b]}' % (response_id.encode(), output)
    return KeptResponse([Raw(b'{"role":"user","content":"%b?"}' % text.encode())], Raw(response))


def words(chain: list[KeptResponse] | None) -> str:
    return b"".join(map(bytes, history_of(chain or []))).decode()


async def count(db: Database) -> int:
    async with db.read(EVERY_TENANT) as connection:
        return await connection.scalar(select(func.count()).select_from(t.stored_response)) or 0


async def test_a_response_is_there_at_once_and_later_everywhere(stand: Stand) -> None:
    owner = stand.owners[0]
    first = stand.put(owner, "one")
    second = stand.put(owner, "two", first)
    assert words(await stand.store.conversation(owner, second)).count('"role"') == 2
    await stand.written()
    for store in (stand.store, stand.another()):
        text = words(await store.conversation(owner, second))
        assert [text.index(word) for word in ("one?", "one!", "two?", "two!")] == sorted(
            text.index(word) for word in ("one?", "one!", "two?", "two!")
        )
        assert await store.find(owner, first, second) == {first: kept(first, "one"), second: kept(second, "two")}


async def test_what_waits_may_go_on_from_what_is_durable(stand: Stand) -> None:
    owner = stand.owners[0]
    first = stand.put(owner, "one")
    await stand.written()
    second = stand.put(owner, "two", first)
    assert "one!" in words(await stand.store.conversation(owner, second))


async def test_a_process_waits_for_another_one_s_commit(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_responses, "_OTHERS_COMMIT_SECONDS", 1.0)
    owner, reader = stand.owners[0], stand.another()
    response_id = new_id("resp")
    asking = asyncio.create_task(reader.conversation(owner, response_id))
    finding = asyncio.create_task(reader.find(owner, response_id))
    await asyncio.sleep(0.05)
    stand.store.put(owner, response_id, None, kept(response_id, "late"), 1)
    await stand.written()
    assert "late!" in words(await asking)
    assert list(await finding) == [response_id]


async def test_nobody_else_finds_it(stand: Stand) -> None:
    owner, *others = stand.owners
    response_id = stand.put(owner, "mine")
    for _ in ("waiting", "durable"):
        for other in (*others, Owner(others[1].tenant_id, owner.customer_id), Owner(owner.tenant_id, "cus_x")):
            assert await stand.store.find(other, response_id) == {}
            assert await stand.store.conversation(other, response_id) is None
            assert not await stand.store.remove(other, response_id)
        await stand.written()
    assert await stand.store.find(owner, response_id)


async def test_a_conversation_does_not_pass_through_another_s_response(stand: Stand) -> None:
    owner, other = stand.owners[:2]
    theirs = stand.put(other, "theirs")
    mine = stand.put(owner, "mine", theirs)
    for _ in ("waiting", "durable"):
        assert await stand.store.conversation(owner, mine) is None
        await stand.written()


async def test_a_deleted_response_is_gone_even_if_it_was_being_written(stand: Stand) -> None:
    owner = stand.owners[0]
    response_id = stand.put(owner, "one")
    assert await stand.store.remove(owner, response_id)
    assert await stand.store.find(owner, response_id) == {}
    assert not await stand.store.remove(owner, response_id)
    assert await count(stand.db) == 0


async def test_what_has_expired_is_neither_found_nor_kept(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = stand.owners[0]
    old = [stand.put(owner, f"old{number}") for number in range(3)]
    fresh = stand.put(owner, "fresh", old[0])
    await stand.written()
    c = t.stored_response.c
    async with stand.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.stored_response).where(c.id.in_(old)).values(expires_at=now_us() - 1))
    assert await stand.store.find(owner, old[0]) == {}
    assert await stand.store.conversation(owner, old[0]) is None
    assert await stand.store.conversation(owner, fresh) is None
    assert not await stand.store.remove(owner, old[0])
    monkeypatch.setattr(kept_responses, "_EXPIRED_AT_ONCE", 2)
    assert await drop_expired(stand.db) == 3
    assert await drop_expired(stand.db) == 0
    assert await stand.store.find(owner, fresh)
    assert await count(stand.db) == 1


async def test_a_conversation_has_its_bounds(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = stand.owners[0]
    monkeypatch.setattr(kept_responses, "MOST_TURNS", 3)
    last = None
    turns = []
    for number in range(4):
        last = stand.put(owner, str(number), last)
        turns.append(last)
    for _ in ("waiting", "durable"):
        assert len(await stand.store.conversation(owner, turns[2]) or ()) == 3
        with pytest.raises(InvalidRequest):
            await stand.store.conversation(owner, turns[3])
        await stand.written()
    monkeypatch.setattr(kept_responses, "MOST_BYTES", 100)
    for look in (stand.store.conversation, stand.store.find):
        with pytest.raises(InvalidRequest):
            await look(owner, turns[0])


async def test_a_row_opens_for_its_own_customer_alone(stand: Stand) -> None:
    owner, other = stand.owners[:2]
    response_id = stand.put(owner, "plain words")
    await stand.written()
    c = t.stored_response.c
    async with stand.db.write(EVERY_TENANT) as connection:
        row = (await connection.execute(select(t.stored_response))).one()
        assert b"plain words" not in row.sealed
        await connection.execute(
            update(t.stored_response).where(c.id == response_id).values(customer_id=other.customer_id)
        )
    with pytest.raises(WrongSecretKey):
        await stand.store.find(other, response_id)


async def test_what_the_database_does_not_take_waits(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = stand.owners[0]
    monkeypatch.setattr(kept_responses, "_RETRY_SECONDS", 0.01)
    add, tries = responses.add, []

    async def failing(*arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) < 3:
            raise OSError("no room")
        await add(*arguments)

    monkeypatch.setattr(responses, "add", failing)
    response_id = stand.put(owner, "one")
    other = stand.put(stand.owners[2], "two")
    assert await stand.store.find(owner, response_id)
    await stand.written()
    assert len(tries) == 4
    assert await stand.another().find(owner, response_id)
    assert await stand.another().find(stand.owners[2], other)


async def test_what_the_database_never_takes_is_given_up(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_responses, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(kept_responses, "_GIVE_UP_US", 50_000)

    async def failing(*_arguments: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(responses, "add", failing)
    response_id = stand.put(stand.owners[0], "one")
    await stand.written()
    assert await stand.store.find(stand.owners[0], response_id) == {}
    monkeypatch.setattr(kept_responses, "_MOST_WAITING_BYTES", 10)
    response_id = stand.put(stand.owners[0], "one")
    assert await stand.store.find(stand.owners[0], response_id) == {}


async def test_one_transaction_never_holds_two_tenants(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    add, batches = responses.add, []

    async def noted(connection: Any, tenant_id: int, rows: list[Any]) -> None:
        batches.append((tenant_id, len(rows)))
        await add(connection, tenant_id, rows)

    monkeypatch.setattr(responses, "add", noted)
    for _ in range(3):
        for owner in stand.owners:
            stand.put(owner, "x")
    await stand.written()
    assert sorted(batches) == sorted({(stand.owners[0].tenant_id, 6), (stand.owners[2].tenant_id, 3)})
    assert await count(stand.db) == 9


async def test_a_row_that_is_there_stays_as_it_is(stand: Stand) -> None:
    owner = stand.owners[0]
    row = make.stored_response(owner.customer_id)
    for changed in (row, structs.replace(row, sealed=b"other")):
        async with stand.db.write(owner.tenant_id) as connection:
            await responses.add(connection, owner.tenant_id, [changed])
    async with stand.db.read(owner.tenant_id) as connection:
        found = await responses.fetch(connection, owner.tenant_id, owner.customer_id, [row.id], 0)
    assert found[row.id].sealed == b"sealed"


async def left(stand: Stand, ids: list[str]) -> list[int]:
    """Which of these, by number, are still in the database."""
    async with stand.db.read(EVERY_TENANT) as connection:
        found = set(await connection.scalars(select(t.stored_response.c.id)))
    return [number for number, each in enumerate(ids) if each in found]


async def test_a_customer_s_oldest_responses_make_room_for_its_newest(stand: Stand) -> None:
    owner, other = stand.owners[:2]
    theirs = stand.put(other, "a")
    size = len(dump(kept(theirs, "a")))
    stand.customer_bytes = 3 * size
    stand.store = stand.another()
    ids = []
    for number in range(5):
        ids.append(stand.put(owner, str(number)))
        await stand.written()
        assert await left(stand, ids) == list(range(max(0, number - 2), number + 1))
    assert await stand.store.find(other, theirs)
    ids += [stand.put(owner, str(number)) for number in range(5, 9)]
    await stand.written()
    assert await left(stand, ids) == [6, 7, 8]
    assert await stand.store.conversation(owner, ids[0]) is None


async def test_what_is_larger_than_the_room_of_a_customer_is_kept_alone(stand: Stand) -> None:
    owner = stand.owners[0]
    stand.customer_bytes = 100
    stand.store = stand.another()
    for number in range(3):
        ids = [stand.put(owner, "x" * 200 + str(number))]
        await stand.written()
        assert await left(stand, ids) == [0]
        assert await count(stand.db) == 1


async def test_many_small_ones_make_room_for_a_large_one_in_small_steps(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = stand.owners[0]
    ids = [stand.put(owner, str(number)) for number in range(7)]
    await stand.written()
    drop, steps = responses.drop_oldest, []

    async def noted(*arguments: Any, **options: Any) -> int:
        steps.append(await drop(*arguments, **options))
        return steps[-1]

    monkeypatch.setattr(responses, "drop_oldest", noted)
    monkeypatch.setattr(kept_responses, "_DROPPED_AT_ONCE", 3)
    stand.customer_bytes = 1000
    stand.store = stand.another()
    ids.append(stand.put(owner, "x" * 900))
    await stand.written()
    assert steps == [3, 3, 1]
    assert await left(stand, ids) == [7]


async def test_two_processes_that_write_at_once_leave_one_room(stand: Stand) -> None:
    owner, other = stand.owners[:2]
    size = len(dump(kept(new_id("resp"), "0")))
    stand.customer_bytes = 4 * size
    stores = [stand.another(), stand.another()]
    for number in range(6):
        for store in stores:
            for each in (owner, other) if store is stores[0] else (other, owner):
                stand.store = store
                stand.put(each, str(number))
        await stand.written()
    c = t.stored_response.c
    async with stand.db.read(EVERY_TENANT) as connection:
        kept_now = (await connection.execute(select(c.customer_id, func.sum(c.size)).group_by(c.customer_id))).all()
    assert dict(map(tuple, kept_now)) == {owner.customer_id: 4 * size, other.customer_id: 4 * size}
