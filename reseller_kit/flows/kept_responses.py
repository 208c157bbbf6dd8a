"""The store of responses: kept at once in this process, durable a moment later, opened for their customer alone.

A response is written after the last byte of its answer: whoever goes on from it at once finds it here, and other
processes find it once it is committed. What the database does not take within a minute is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from msgspec import Struct

from ..core.errors import InvalidRequest
from ..db import operator_responses
from ..db import responses as rows
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.responses import StoredResponse
from ..vault import Vault
from ..wire.openai_responses.kept import KeptResponse, dump, load, size_of
from .patience import limited_wait

_log = logging.getLogger(__name__)
MOST_TURNS: Final = 1000
"""How many responses one conversation goes back."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""How much they may hold together: what a request may hold that brings its history itself."""
_MOST_WAITING_BYTES: Final = 256 * 1024 * 1024
_MOST_AT_ONCE: Final = 64
_MOST_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
_GATHER_SECONDS: Final = 0.05
"""What is answered meanwhile shares a commit: calls wait for the same lock."""
_RETRY_SECONDS: Final = 0.5
_GIVE_UP_US: Final = 60_000_000
_OTHERS_COMMIT_SECONDS: Final = 0.25
"""What is not there is looked for again: another process may be about to commit what it has just answered."""
_EXPIRED_AT_ONCE: Final = 100
_DROPPED_AT_ONCE: Final = 200
_ROUNDS: Final = 100
_DAY_US: Final = 86_400_000_000

Spawn = Callable[[Coroutine[Any, Any, Any], str], object]


class Owner(Struct, frozen=True):
    """Whose responses."""

    tenant_id: int
    customer_id: str


class _Waiting(Struct, frozen=True, kw_only=True):
    """A response that is not durable yet."""

    id: str
    owner: Owner
    previous_id: str | None
    content: bytes
    created_at: int
    expires_at: int


class KeptResponses:
    """The responses of all customers, each by its id and its owner."""

    def __init__(self, db: Database, vault: Vault, spawn: Spawn, customer_bytes: int) -> None:
        """`customer_bytes`: how much is kept for one customer; the oldest goes first."""
        self._db, self._vault, self._spawn, self._customer_bytes = db, vault, spawn, customer_bytes
        self._waiting: dict[str, _Waiting] = {}
        self._waiting_bytes = 0
        self._writing = False
        self._progress = asyncio.Event()

    def put(self, owner: Owner, response_id: str, previous_id: str | None, kept: KeptResponse, days: int) -> None:
        """Keep a response for so many days."""
        content, now = dump(kept), now_us()
        if self._waiting_bytes + len(content) > _MOST_WAITING_BYTES:
            _log.error("%s is not kept: too much waits for the database", response_id)
            return
        self._waiting[response_id] = _Waiting(
            id=response_id,
            owner=owner,
            previous_id=previous_id,
            content=content,
            created_at=now,
            expires_at=now + days * _DAY_US,
        )
        self._waiting_bytes += len(content)
        if not self._writing:
            self._writing = True
            self._spawn(self._write(), "keep responses")

    async def conversation(self, owner: Owner, response_id: str) -> list[KeptResponse] | None:
        """The response behind all that it goes back to, oldest first; None if any of them is not kept.

        Raises InvalidRequest where they are more than can be sent, ServiceUnavailable when the database is away.
        """
        found = await self._conversation(owner, response_id)
        if found is None:
            await asyncio.sleep(_OTHERS_COMMIT_SECONDS)
            found = await self._conversation(owner, response_id)
        return found

    async def find(self, owner: Owner, *response_ids: str) -> dict[str, KeptResponse]:
        """Those of these responses that are kept. Raises as `conversation`."""
        found: dict[str, KeptResponse] = {}
        for look in range(2):
            missing = [each for each in response_ids if each not in found]
            if not missing:
                break
            if look:
                await asyncio.sleep(_OTHERS_COMMIT_SECONDS)
            for response_id in missing:
                kept = await self._find(owner, response_id)
                if kept is not None:
                    found[response_id] = kept
                    _check(len(found), sum(map(size_of, found.values())))
        return found

    async def _find(self, owner: Owner, response_id: str) -> KeptResponse | None:
        waiting = self._own(owner, response_id)
        if waiting is not None:
            return load(waiting.content)
        async with limited_wait(), self._db.read(owner.tenant_id) as connection:
            found = await rows.fetch(connection, owner.tenant_id, owner.customer_id, [response_id], now_us())
        return self._open(owner, found[response_id]) if found else None

    async def remove(self, owner: Owner, response_id: str) -> bool:
        """Delete a response; False if there is none."""
        async with limited_wait():
            while self._own(owner, response_id) is not None:
                await self._progress.wait()
            async with self._db.write(owner.tenant_id) as connection:
                return await rows.remove(connection, owner.tenant_id, owner.customer_id, response_id, now_us())

    def _own(self, owner: Owner, response_id: str) -> _Waiting | None:
        waiting = self._waiting.get(response_id)
        return waiting if waiting is not None and waiting.owner == owner else None

    async def _conversation(self, owner: Owner, response_id: str) -> list[KeptResponse] | None:
        newest_first: list[KeptResponse] = []
        size = 0
        wanted: str | None = response_id
        while wanted is not None:
            waiting = self._own(owner, wanted)
            if waiting is not None:
                size += len(waiting.content)
                newest_first.append(load(waiting.content))
                wanted = waiting.previous_id
            else:
                async with limited_wait(), self._db.read(owner.tenant_id) as connection:
                    links = await self._links(connection, owner, wanted)
                    size += sum(link.size for link in links)
                    _check(len(newest_first) + len(links), size)
                    found = await self._fetch(connection, owner, links)
                if not found:
                    return None
                newest_first += found
                wanted = links[-1].previous_id
            _check(len(newest_first), size)
        return newest_first[::-1]

    async def _links(self, connection: Connection, owner: Owner, newest: str) -> list[rows.Link]:
        now = now_us()
        return await rows.chain(connection, owner.tenant_id, owner.customer_id, newest, now=now, most=MOST_TURNS + 1)

    async def _fetch(self, connection: Connection, owner: Owner, links: list[rows.Link]) -> list[KeptResponse]:
        ids = [link.id for link in links]
        # An expiry between the two looks would be a gap; the moment of the first one counts for both.
        found = await rows.fetch(connection, owner.tenant_id, owner.customer_id, ids, 0)
        return [self._open(owner, found[each]) for each in ids]

    def _open(self, owner: Owner, row: StoredResponse) -> KeptResponse:
        return load(self._vault.open_content(_name(owner, row.id), row.key_id, row.sealed))

    async def _write(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                batch = self._next_batch()
                try:
                    await self._write_batch(batch)
                except Exception as error:  # noqa: BLE001  # whatever the fault, the responses wait for the next try
                    _log.warning("keeping responses failed; trying again (%r)", error)
                    self._give_up()
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    self._forget(batch)
        finally:
            self._writing = False

    def _next_batch(self) -> list[_Waiting]:
        """The longest waiting, of one tenant."""
        batch: list[_Waiting] = []
        size = 0
        for waiting in self._waiting.values():
            if batch and waiting.owner.tenant_id != batch[0].owner.tenant_id:
                continue
            size += len(waiting.content)
            if batch and (len(batch) >= _MOST_AT_ONCE or size > _MOST_BYTES_AT_ONCE):
                break
            batch.append(waiting)
        return batch

    async def _write_batch(self, batch: list[_Waiting]) -> None:
        tenant_id = batch[0].owner.tenant_id
        sealed = [self._seal(waiting) for waiting in batch]
        customers = {waiting.owner.customer_id for waiting in batch}
        full = await self._add(tenant_id, customers, sealed)
        while full:
            # Small old responses behind a large new one: the next batch waits until there is room again.
            full = await self._add(tenant_id, customers, ())

    async def _add(self, tenant_id: int, customers: set[str], sealed: Sequence[StoredResponse]) -> bool:
        """Write responses and delete the oldest that have no room any more; whether others may be left of these."""
        async with limited_wait(), self._db.write(tenant_id) as connection:
            await rows.lock(connection, customers)
            if sealed:
                await rows.add(connection, tenant_id, sealed)
            dropped = await rows.drop_oldest(
                connection, tenant_id, customers, keep_bytes=self._customer_bytes, limit=_DROPPED_AT_ONCE
            )
        return dropped == _DROPPED_AT_ONCE

    def _seal(self, waiting: _Waiting) -> StoredResponse:
        key_id, sealed = self._vault.seal_content(_name(waiting.owner, waiting.id), waiting.content)
        return StoredResponse(
            id=waiting.id,
            customer_id=waiting.owner.customer_id,
            previous_id=waiting.previous_id,
            key_id=key_id,
            sealed=sealed,
            size=len(waiting.content),
            created_at=waiting.created_at,
            expires_at=waiting.expires_at,
        )

    def _forget(self, batch: list[_Waiting]) -> None:
        for waiting in batch:
            del self._waiting[waiting.id]
            self._waiting_bytes -= len(waiting.content)
        self._progress.set()
        self._progress = asyncio.Event()

    def _give_up(self) -> None:
        old = [each for each in self._waiting.values() if now_us() - each.created_at > _GIVE_UP_US]
        self._forget(old)
        if old:
            _log.error("%d responses are not kept: the database did not take them", len(old))


async def drop_expired(db: Database) -> int:
    """Delete responses whose time is over, some thousands at most; how many."""
    dropped = 0
    for _ in range(_ROUNDS):
        async with db.write(EVERY_TENANT) as connection:
            found = await operator_responses.delete_expired(connection, now_us(), _EXPIRED_AT_ONCE)
        dropped += found
        if found < _EXPIRED_AT_ONCE:
            break
    return dropped


def _name(owner: Owner, response_id: str) -> str:
    """What a response is sealed under: moved to another row, another customer or another tenant it does not open."""
    return f"response:{owner.tenant_id}:{owner.customer_id}:{response_id}"


def _check(turns: int, size: int) -> None:
    if turns > MOST_TURNS or size > MOST_BYTES:
        raise InvalidRequest(
            "The named responses are too many or too large to be put in. Begin another conversation.",
            param="previous_response_id",
        )
