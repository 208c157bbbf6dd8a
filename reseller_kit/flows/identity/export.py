"""Everything that is kept of a customer, as one JSON document in parts. Holds no secret, cost or other customer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.currency import format_minor
from ...core.money import format_amount
from ...core.times import format_time
from ...db import credits as credit_rows
from ...db import (
    customers,
    keys,
    logins,
    orders,
    passkeys,
    payment_facts,
    payment_refunds,
    subscriptions,
    support,
    usage,
)
from ...db.credits import HistoryLine
from ...db.engine import Connection, now_us
from ...db.orders import Order
from ...db.payment_facts import FactRow
from ...db.payment_refunds import Refund
from ...db.subscriptions import Subscription
from ...db.support import Case, Message
from ...db.usage import UsageFilter, UsageRecord
from ..own_record import own_record
from .sessions import list_sessions
from .visit import Identity

_PAGE: Final = 1000


class _Bought(Struct, frozen=True):
    """An order with what came of its payment and what went back."""

    order: Order
    payments: list[FactRow]
    refunds: list[Refund]


Document = dict[str, Any]


async def export(identity: Identity, tenant_id: int, customer_id: str) -> AsyncIterator[bytes]:
    """The document's bytes, a page of its long lists at a time; nothing for a customer that there is not."""
    async with identity.db.read(tenant_id) as connection:
        head = await _head(connection, tenant_id, customer_id)
        customer = await customers.find(connection, tenant_id, customer_id)
    if head is None or customer is None:
        return
    head["sessions"] = [
        {"browser": row.agent, "place": row.place, "created_at": _time(row.created_at), "seen_at": _time(row.seen_at)}
        for row in await list_sessions(identity, tenant_id, customer_id)
    ]
    yield msgspec.json.encode(head)[:-1]
    wallet_id = customer.wallet_id

    async def history(connection: Connection, last: HistoryLine | None) -> list[HistoryLine]:
        before = None if last is None else (last.created_at, last.id)
        return await credit_rows.history(connection, tenant_id, wallet_id, _PAGE, before)

    async def calls(connection: Connection, last: UsageRecord | None) -> list[UsageRecord]:
        wanted = UsageFilter(customer_id=customer_id, before_id=None if last is None else last.id)
        return await usage.page(connection, tenant_id, wanted, _PAGE)

    async def bought(connection: Connection, last: _Bought | None) -> list[_Bought]:
        before = None if last is None else last.order.id
        page = await orders.page(connection, tenant_id, _PAGE, before, customer_id=customer_id)
        return [
            _Bought(
                order,
                [row for row in await payment_facts.of_order(connection, tenant_id, order.id) if row.kind == "payment"],
                await payment_refunds.of_order(connection, tenant_id, order.id),
            )
            for order in page
        ]

    async def renewing(connection: Connection, last: Subscription | None) -> list[Subscription]:
        before = None if last is None else last.id
        return await subscriptions.page(connection, tenant_id, _PAGE, before, customer_id=customer_id)

    async def asked(
        connection: Connection, last: tuple[Case, list[Message]] | None
    ) -> list[tuple[Case, list[Message]]]:
        before = None if last is None else last[0].id
        cases = await support.page(connection, tenant_id, _PAGE, before, customer_id=customer_id)
        return [(case, await support.messages(connection, tenant_id, case.id)) for case in cases]

    lists: tuple[tuple[bytes, Any, Callable[[Any], Document]], ...] = (
        (b',"credit_history":[', history, _movement),
        (b',"usage":[', calls, _call),
        (b',"orders":[', bought, _order),
        (b',"subscriptions":[', renewing, _subscription),
        (b',"support":[', asked, _case),
    )
    for begin, read, shape in lists:
        async for part in _list(identity, tenant_id, begin, read, shape):
            yield part
    yield b"}"


async def _list(
    identity: Identity,
    tenant_id: int,
    begin: bytes,
    read: Callable[[Connection, Any], Awaitable[list[Any]]],
    shape: Callable[[Any], Document],
) -> AsyncIterator[bytes]:
    """A list of the document, read page by page; no transaction is open while a page is sent."""
    yield begin
    last: Any = None
    while True:
        async with identity.db.read(tenant_id) as connection:
            rows = await read(connection, last)
        encoded = b",".join(msgspec.json.encode(shape(row)) for row in rows)
        if encoded:
            yield encoded if last is None else b"," + encoded
        if len(rows) < _PAGE:
            break
        last = rows[-1]
    yield b"]"


async def _head(connection: Connection, tenant_id: int, customer_id: str) -> Document | None:
    customer = await customers.find(connection, tenant_id, customer_id)
    if customer is None:
        return None
    login = await logins.find(connection, tenant_id, customer_id)
    wallet, lots = await credit_rows.wallet_with_lots(connection, tenant_id, customer.wallet_id)
    owned = await keys.page(connection, tenant_id, customer_id, _PAGE, None)
    return {
        "exported_at": format_time(now_us()),
        "account": {
            "id": customer.id,
            "email": customer.email,
            "name": customer.name,
            "status": customer.status,
            "locale": customer.locale,
            "timezone": customer.timezone,
            "created_at": format_time(customer.created_at),
            "verified_at": _time(customer.verified_at),
            "password_changed_at": _time(login.password_at) if login else None,
            "two_factor_since": _time(login.totp_at) if login else None,
        },
        "terms": [
            {"version": version, "accepted_at": format_time(at)}
            for version, at in await logins.accepted_terms(connection, tenant_id, customer_id)
        ],
        "passkeys": [
            {
                "name": row.name,
                "host": row.host,
                "created_at": format_time(row.created_at),
                "used_at": _time(row.used_at),
            }
            for row in await passkeys.of_holder(connection, tenant_id, passkeys.CUSTOMERS, customer_id)
        ],
        "keys": [
            {
                "id": row.key.id,
                "prefix": row.key.prefix,
                "name": row.key.name,
                "limit": None if row.key.limit_nano is None else format_amount(row.key.limit_nano),
                "reset": row.key.limit_reset,
                "models": list(row.key.models),
                "rpm": row.key.requests_per_minute,
                "created_at": format_time(row.key.created_at),
                "expires_at": _time(row.key.expires_at),
                "revoked_at": _time(row.key.revoked_at),
            }
            for row in owned
        ],
        "credit": {
            "currency": "USD",
            "balance": format_amount(wallet.balance),
            "lots": [
                {
                    "id": lot.id,
                    "kind": lot.kind,
                    "amount": format_amount(lot.amount),
                    "remaining": format_amount(lot.remaining),
                    "expires_at": _time(lot.expires_at),
                    "created_at": format_time(lot.created_at),
                }
                for lot in lots
            ],
        },
    }


def _movement(line: HistoryLine) -> Document:
    return {
        "id": line.id,
        "created_at": format_time(line.created_at),
        "code": line.code,
        "amount": format_amount(line.amount),
        "balance_after": None if line.balance_after is None else format_amount(line.balance_after),
    }


def _call(record: UsageRecord) -> Document:
    return own_record(record, {"quantities": record.quantities})


def _order(bought: _Bought) -> Document:
    order = bought.order
    return {
        "id": order.id,
        "created_at": format_time(order.created_at),
        "title": order.title,
        "price": format_amount(order.price_nano),
        "credits": format_amount(order.credits_nano),
        "refunded": format_amount(order.refunded_nano),
        "status": order.state,
        "paid_at": _time(order.paid_at),
        "payments": [
            {"id": row.ref, "status": row.status, **_paid(row.state), "at": format_time(row.occurred_at)}
            for row in bought.payments
        ],
        "refunds": [
            {
                "created_at": format_time(one.created_at),
                "amount": format_minor(one.minor, one.currency),
                "currency": one.currency,
                "status": one.state,
            }
            for one in bought.refunds
        ],
    }


def _paid(state: Document) -> Document:
    currency = str(state["currency"])
    return {
        "total": format_minor(state["total"], currency),
        "currency": currency,
        "customer": state.get("customer_ref"),
    }


def _subscription(found: Subscription) -> Document:
    return {
        "id": found.id,
        "created_at": format_time(found.created_at),
        "title": found.title,
        "price": found.terms["price"],
        "status": found.state,
        "period_starts_at": format_time(found.period_starts_at),
        "period_ends_at": format_time(found.period_ends_at),
        "cancel_at": _time(found.cancel_at),
    }


def _case(found: tuple[Case, list[Message]]) -> Document:
    case, messages = found
    return {
        "id": case.id,
        "created_at": format_time(case.created_at),
        "subject": case.subject,
        "about": case.about,
        "status": case.state,
        "messages": [
            {"author": said.author, "body": said.body, "created_at": format_time(said.created_at)} for said in messages
        ],
    }


def _time(at: int | None) -> str | None:
    return None if at is None else format_time(at)
