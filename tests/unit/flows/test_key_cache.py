"""Keys that were used are remembered, until they or their customer change, and not more than so many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from reseller_kit.db.authentication import KeyAccount
from reseller_kit.db.engine import Database
from reseller_kit.flows import authenticate
from reseller_kit.flows.authenticate import KeyCache
from reseller_kit.vault import key_digest

PEPPER = b"p" * 32
OWNERS = {"key_a": "cus_1", "key_b": "cus_1", "key_c": "cus_2", "key_d": "cus_2"}


def account(key_id: str, customer_id: str) -> KeyAccount:
    terms: dict[str, Any] = dict.fromkeys(
        ("limit_nano", "limit_reset", "requests_per_minute", "expires_at", "group_id")
    )
    return KeyAccount(
        key_id=key_id, tenant_id=1, customer_id=customer_id, wallet_id=1, customer_status="active", models=(), **terms
    )


class Accounts:
    """A database of accounts by key, that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cache = KeyCache(cast("Database", self), PEPPER)
        self.by_digest = {key_digest(PEPPER, key): account(key, customer_id) for key, customer_id in OWNERS.items()}

    @asynccontextmanager
    async def read(self, _scope: object) -> AsyncIterator[None]:
        yield

    async def find(self, _connection: object, _tenant_id: int, digest: bytes) -> KeyAccount:
        found = self.by_digest[digest]
        self.asked.append(found.key_id)
        return found

    async def use(self, *keys: str) -> None:
        for key in keys:
            if self.cache.get(1, key) is None:
                await self.cache.load(1, key)

    def known(self) -> set[str]:
        return {key for key in OWNERS if self.cache.get(1, key) is not None}


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    made = Accounts()
    monkeypatch.setattr(authenticate, "find_key", made.find)
    return made


async def test_a_key_that_changed_is_forgotten_and_no_other(accounts: Accounts) -> None:
    await accounts.use(*OWNERS)
    accounts.cache.forget("key_b")
    assert accounts.known() == {"key_a", "key_c", "key_d"}
    accounts.cache.forget("key_never_used")
    await accounts.use(*OWNERS)
    assert accounts.asked == [*OWNERS, "key_b"]


async def test_with_its_customer_each_of_its_keys_is_forgotten(accounts: Accounts) -> None:
    await accounts.use(*OWNERS)
    accounts.cache.forget("key_a")
    accounts.cache.forget("cus_1")
    assert accounts.known() == {"key_c", "key_d"}
    await accounts.use("key_a", "key_b")
    accounts.cache.forget("cus_1")
    accounts.cache.forget("cus_2")
    assert accounts.known() == set()


async def test_of_too_many_the_first_goes(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "_MAX_KEYS", 2)
    await accounts.use("key_a", "key_b", "key_c")
    assert accounts.known() == {"key_b", "key_c"}
    accounts.cache.forget("cus_1")
    assert accounts.known() == {"key_c"}


async def test_what_was_read_while_something_changed_is_not_kept(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = accounts.find

    async def changed_meanwhile(*asked: Any) -> KeyAccount:
        accounts.cache.forget("key_a")
        return await find(*asked)

    monkeypatch.setattr(authenticate, "find_key", changed_meanwhile)
    assert await accounts.cache.load(1, "key_a") is not None
    assert accounts.known() == set()
