"""The API's answers about models, credit and usage. A customer sees its own, at retail alone."""

from __future__ import annotations

import fnmatch
from typing import Any, Final

import msgspec

from ...core.catalog import OfferedModel
from ...core.errors import InvalidRequest, NotFound
from ...core.ids import is_public_id
from ...core.ledger import available
from ...core.money import format_amount
from ...core.storefront import Storefront
from ...core.times import format_time, parse_time
from ...db import credits as credit_rows
from ...db import usage as usage_rows
from ...db.authentication import KeyAccount
from ...flows.call.admit import find_model
from ...flows.own_record import own_record
from ...flows.patience import limited_wait
from ...flows.runtime import Runtime
from .query import last_of, number_of

_encode = msgspec.json.Encoder().encode
_DEFAULT_PAGE: Final = 100
_MAX_PAGE: Final = 1000
_GEMINI_METHODS: Final = ("generateContent", "streamGenerateContent", "countTokens")
_TOKEN_FIELDS: Final = {
    "input_tokens": "input",
    "cached_input_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_tokens": "output",
}


def model_list(storefront: Storefront, account: KeyAccount, dialect: str) -> bytes:
    """The models this key may call, by name."""
    models = [
        offered
        for name, offered in sorted(storefront.models.items())
        if not account.models or any(fnmatch.fnmatchcase(n, g) for g in account.models for n in (name, offered.model))
    ]
    if dialect == "anthropic":
        data = [_anthropic_model(offered) for offered in models]
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return _encode({"data": data, "has_more": False, "first_id": first, "last_id": last})
    if dialect == "gemini":
        return _encode({"models": list(map(_gemini_model, models))})
    return _encode({"object": "list", "data": [_openai_model(storefront, offered) for offered in models]})


def model(storefront: Storefront, account: KeyAccount, name: str, dialect: str) -> bytes:
    """One model. Raises ModelNotFound."""
    offered = find_model(storefront, account, name)
    if dialect == "anthropic":
        return _encode(_anthropic_model(offered))
    return _encode(_gemini_model(offered) if dialect == "gemini" else _openai_model(storefront, offered))


async def balance(runtime: Runtime, account: KeyAccount, now: int) -> bytes:
    """The customer's balance; `now` in µs."""
    async with limited_wait(), runtime.db.read(account.tenant_id) as connection:
        wallet, lots = await credit_rows.wallet_with_lots(connection, account.tenant_id, account.wallet_id)
    return _encode(
        {
            "currency": "USD",
            "balance": format_amount(wallet.balance),
            "held": format_amount(wallet.reserved),
            "available": format_amount(available(wallet, lots, now)),
            "debt": format_amount(wallet.debt),
        }
    )


async def usage_list(runtime: Runtime, account: KeyAccount, query: bytes) -> bytes:
    """The customer's usage records, newest first, by `limit`, `cursor` and `since`. Raises InvalidRequest."""
    limit, cursor, since = _page_of(query)
    wanted = usage_rows.UsageFilter(customer_id=account.customer_id, since=since, before_id=cursor)
    async with limited_wait(), runtime.db.read(account.tenant_id) as connection:
        records = await usage_rows.page(connection, account.tenant_id, wanted, limit + 1)
    more = len(records) > limit
    records = records[:limit]
    return _encode(
        {"records": [_record(record) for record in records], "next_cursor": records[-1].id if more else None}
    )


async def usage_record(runtime: Runtime, account: KeyAccount, record_id: str) -> bytes:
    """One of the customer's usage records. Raises NotFound."""
    record = None
    if is_public_id(record_id, "req"):
        async with limited_wait(), runtime.db.read(account.tenant_id) as connection:
            record = await usage_rows.find(connection, account.tenant_id, record_id)
    if record is None or record.customer_id != account.customer_id:
        raise NotFound("There is no usage record of that id.")
    return _encode(_record(record))


def _record(record: usage_rows.UsageRecord) -> dict[str, Any]:
    return own_record(record, {field: record.quantities.get(name, 0) for field, name in _TOKEN_FIELDS.items()})


def _page_of(query: bytes) -> tuple[int, str | None, int | None]:
    given = last_of(query, "limit", "cursor", "since")
    limit = number_of(given["limit"], "limit", default=_DEFAULT_PAGE, most=_MAX_PAGE)
    cursor, since = given["cursor"], given["since"]
    if cursor is not None and not is_public_id(cursor, "req"):
        raise InvalidRequest("cursor is not one that this list gave out.", param="cursor")
    return limit, cursor, None if since is None else parse_time(since)


def _openai_model(storefront: Storefront, offered: OfferedModel) -> dict[str, Any]:
    return {"id": offered.name, "object": "model", "created": offered.created_at, "owned_by": storefront.slug}


def _anthropic_model(offered: OfferedModel) -> dict[str, Any]:
    created = format_time(offered.created_at * 1_000_000)
    return {"type": "model", "id": offered.name, "display_name": offered.name, "created_at": created}


def _gemini_model(offered: OfferedModel) -> dict[str, Any]:
    return {
        "name": f"models/{offered.name}",
        "version": "1",
        "displayName": offered.name,
        "description": offered.name,
        "inputTokenLimit": offered.context,
        "outputTokenLimit": offered.max_output,
        "supportedGenerationMethods": list(_GEMINI_METHODS),
    }
