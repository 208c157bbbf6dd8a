"""Requests of the management API that bear an idempotency key: carried out once, answered the same for a day.

What is kept is sealed: it may hold a key that is shown once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from ..core.errors import Conflict
from ..core.times import DAY_US
from ..db import api_tokens
from ..db.api_tokens import Answer, ApiToken
from ..db.engine import Database, now_us
from ..vault import Vault

MAX_KEY: Final = 200
_SERVER_FAULT: Final = 500


class Answered(Struct, frozen=True):
    """An answer as it left; `repeated`: it had been given before."""

    status: int
    body: bytes
    repeated: bool = False


async def once(
    db: Database, vault: Vault, token: ApiToken, key: str, asked: bytes, work: Callable[[], Awaitable[Answered]]
) -> Answered:
    """What `work` answers, or what it answered when the same was asked under this key before.

    Raises Conflict when the key was used for something else (`asked` holds everything that was sent), and while the
    first request is being worked on. An answer of 500 or above is not kept.
    """
    digest, now = hashlib.sha256(asked).digest(), now_us()
    async with db.write(token.tenant_id) as connection:
        await api_tokens.forget_answers(connection, token.tenant_id, now - DAY_US)
        first = await api_tokens.reserve(connection, token.tenant_id, token.id, key, asked=digest, now=now)
        before = None if first else await api_tokens.answer_of(connection, token.tenant_id, token.id, key)
    if before is not None:
        return _again(vault, token, key, before, digest)
    try:
        answer = await work()
    except Exception:
        await _forget(db, token, key)
        raise
    if answer.status >= _SERVER_FAULT:
        await _forget(db, token, key)
        return answer
    sealed = vault.seal_content(_name(token, key), answer.body)
    async with db.write(token.tenant_id) as connection:
        await api_tokens.keep_answer(connection, token.tenant_id, token.id, key, status=answer.status, sealed=sealed)
    return answer


def _again(vault: Vault, token: ApiToken, key: str, before: Answer, digest: bytes) -> Answered:
    if before.asked != digest:
        raise Conflict(
            "This idempotency key was used for another request.", fix="Send a new key with every new request."
        )
    if before.status is None or before.sealed_by is None or before.sealed is None:
        raise Conflict(
            "The first request under this idempotency key is not finished.",
            fix="Ask again in a moment; if it stays so, look whether it was carried out before you use a new key.",
        )
    body = vault.open_content(_name(token, key), before.sealed_by, before.sealed)
    return Answered(before.status, body, repeated=True)


async def _forget(db: Database, token: ApiToken, key: str) -> None:
    async with db.write(token.tenant_id) as connection:
        await api_tokens.drop_answer(connection, token.tenant_id, token.id, key)


def _name(token: ApiToken, key: str) -> str:
    return f"token_answer:{token.id}:{key}"
