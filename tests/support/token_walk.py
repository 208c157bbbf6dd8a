"""The management API's part of the isolation walk: a token with an answer, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import api_tokens
from reseller_kit.db.api_tokens import ApiToken
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]
KEY = "one request"


def number(customer: Any) -> str:
    """The token of whose customer it is."""
    return f"tok_of_{customer.id}"


def digest(customer: Customer) -> bytes:
    return b"token of " + customer.id.encode()


def token(tenant_id: int, name: str) -> ApiToken:
    return ApiToken(
        id=name,
        tenant_id=tenant_id,
        member_id=None,
        prefix="sk-admin_",
        name="CRM",
        scopes=("keys",),
        made_by="",
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        created_at=1,
    )


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """A token with an answer that it was given."""
    await api_tokens.add(connection, tenant_id, token(tenant_id, number(customer)), digest(customer))
    await api_tokens.reserve(connection, tenant_id, number(customer), KEY, asked=b"asked", now=1)


READS: dict[str, Query] = {
    "api_tokens.answer_of": lambda c, tenant, x: api_tokens.answer_of(c, tenant, number(x.customer), KEY),
    "api_tokens.by_digest": lambda c, tenant, x: api_tokens.by_digest(c, tenant, digest(x.customer)),
    "api_tokens.find": lambda c, tenant, x: api_tokens.find(c, tenant, number(x.customer)),
    "api_tokens.page": lambda c, tenant, _: api_tokens.page(c, tenant, 10, None),
}
WRITES: dict[str, Query] = {
    "api_tokens.add": lambda c, tenant, x: api_tokens.add(
        c, tenant, token(tenant, f"tok_new_{tenant}"), b"new " + str(x.customer.id).encode()
    ),
    "api_tokens.drop_answer": lambda c, tenant, x: api_tokens.drop_answer(c, tenant, number(x.customer), KEY),
    "api_tokens.forget_answers": lambda c, tenant, _: api_tokens.forget_answers(c, tenant, 9),
    "api_tokens.keep_answer": lambda c, tenant, x: api_tokens.keep_answer(
        c, tenant, number(x.customer), KEY, status=200, sealed=("k", b"s")
    ),
    "api_tokens.reserve": lambda c, tenant, x: api_tokens.reserve(
        c, tenant, number(x.customer), KEY, asked=b"other", now=5
    ),
    "api_tokens.revoke": lambda c, tenant, x: api_tokens.revoke(c, tenant, number(x.customer), 9),
    "api_tokens.revoke_of_member": lambda c, tenant, _: api_tokens.revoke_of_member(c, tenant, 999_999, 9),
    "api_tokens.touch": lambda c, tenant, x: api_tokens.touch(c, tenant, number(x.customer), 9),
}
