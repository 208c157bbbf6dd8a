"""Tokens of the management API on both databases: when they end, and that a request under a key happens once."""

from __future__ import annotations

import asyncio

import pytest

from reseller_kit.core.errors import Conflict, InvalidRequest, Unauthenticated
from reseller_kit.db import api_tokens, members
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.api_tokens import TokenTerms, create_token, recognise_token, status_of
from reseller_kit.flows.members import team
from reseller_kit.flows.once import Answered, once
from tests.support.factories import make_tenant
from tests.support.identity import make_identity

TERMS = TokenTerms(name="CRM", scopes=("keys",))


async def test_a_token_ends_with_its_day_its_member_and_the_members_right(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    vault = identity.vault
    async with db.write(tenant.id) as connection:
        ada = await members.put(connection, tenant.id, "ada@x.example", name="", role="admin", now=1)
        assert ada is not None
        await members.change(connection, tenant.id, ada.id, status="active")
    made = await create_token(db, vault, tenant.slug, TERMS, actor="member:ada@x.example", member_id=ada.id)
    soon = TokenTerms(name="CRM", scopes=("keys",), expires_at=now_us() + 3_600_000_000)
    ending = await create_token(db, vault, tenant.slug, soon, actor="cli:test")
    assert (await recognise_token(db, vault, tenant.id, ending.secret)).id == ending.token.id
    assert status_of(ending.token, soon.expires_at or 0) == "expired"
    for role, works in (("support", False), ("admin", True)):
        async with db.write(tenant.id) as connection:
            await members.change(connection, tenant.id, ada.id, role=role)
        if works:
            known = await recognise_token(db, vault, tenant.id, made.secret)
            assert known.id == made.token.id
        else:
            with pytest.raises(Unauthenticated):
                await recognise_token(db, vault, tenant.id, made.secret)
    async with db.write(tenant.id) as connection:
        row = await members.by_id(connection, tenant.id, ada.id)
        assert row is not None
        await team.take_away(connection, row, "cli:test")
    with pytest.raises(Unauthenticated):
        await recognise_token(db, vault, tenant.id, made.secret)
    async with db.read(tenant.id) as connection:
        found = await api_tokens.find(connection, tenant.id, made.token.id)
    assert found is not None
    assert found.revoked_at is not None
    assert found.last_used_at is not None


@pytest.mark.parametrize(
    "terms",
    [
        TokenTerms(name=" ", scopes=("keys",)),
        TokenTerms(name="CRM", scopes=()),
        TokenTerms(name="CRM", scopes=("keys", "everything")),
        TokenTerms(name="CRM", scopes=("keys",), expires_at=1),
    ],
)
async def test_terms_that_make_no_sense_are_refused(db: Database, terms: TokenTerms) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    with pytest.raises(InvalidRequest):
        await create_token(db, identity.vault, tenant.slug, terms, actor="cli:test")


async def test_of_requests_at_once_under_one_key_one_is_carried_out(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    vault = identity.vault
    token = (await create_token(db, vault, tenant.slug, TERMS, actor="cli:test")).token
    begun, finish, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> Answered:
        begun.set()
        await finish.wait()
        done.append(1)
        return Answered(201, b"secret")

    first = asyncio.create_task(once(db, vault, token, "k", b"asked", work))
    await begun.wait()
    with pytest.raises(Conflict):
        await once(db, vault, token, "k", b"asked", work)
    finish.set()
    assert await first == Answered(201, b"secret")
    assert await once(db, vault, token, "k", b"asked", work) == Answered(201, b"secret", repeated=True)
    with pytest.raises(Conflict):
        await once(db, vault, token, "k", b"another", work)
    assert done == [1]
    async with db.read(tenant.id) as connection:
        kept = await api_tokens.answer_of(connection, tenant.id, token.id, "k")
    assert kept is not None
    assert b"secret" not in (kept.sealed or b"secret")


async def test_a_fault_of_ours_is_not_kept(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    token = (await create_token(db, identity.vault, tenant.slug, TERMS, actor="cli:test")).token
    answers = iter((Answered(503, b""), Answered(200, b"done")))

    async def work() -> Answered:
        return next(answers)

    async def breaks() -> Answered:
        raise LookupError

    with pytest.raises(LookupError):
        await once(db, identity.vault, token, "k", b"asked", breaks)
    statuses = [(await once(db, identity.vault, token, "k", b"asked", work)).status for _ in range(3)]
    assert statuses == [503, 200, 200]
