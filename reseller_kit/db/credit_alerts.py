"""Below which balances customers are told that their credit is low, and which of them they were told. Sends nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Select, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .kept import kept

NOTHING: Final = "[]"
"""Nothing was told, as it is stored."""
_told = msgspec.json.Decoder(list[int]).decode


class CreditAlert(Struct, frozen=True, kw_only=True):
    """A customer's thresholds in nano-USD, None for parts of its latest purchase; `told`: those it was told of."""

    thresholds: tuple[int, ...] | None = None
    told: frozenset[int] = frozenset()


async def find(connection: AsyncConnection, tenant_id: int, customer_id: str) -> CreditAlert:
    """What the customer chose and was told."""
    row = (await connection.execute(*_find(tenant_id, customer_id))).one_or_none()
    return CreditAlert() if row is None else alert_of(row.thresholds, row.told)


@kept
def _find(tenant_id: int, customer_id: str) -> Select[Any]:
    c = t.credit_alert.c
    return select(c.thresholds, c.told).where(c.tenant_id == tenant_id, c.customer_id == customer_id)


def alert_of(thresholds: Sequence[int] | None, told: str | None) -> CreditAlert:
    """A row's columns as a value; those of a row that is not there are the default."""
    chosen = None if thresholds is None else tuple(thresholds)
    return CreditAlert(thresholds=chosen, told=frozenset(_told(told or NOTHING)))


async def lock(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> CreditAlert:
    """As `find`, and nobody else changes it in the meantime, though there was no row."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"tenant_id": tenant_id, "customer_id": customer_id, "changed_at": now}
    await connection.execute(add(t.credit_alert).values(row).on_conflict_do_nothing(index_elements=["customer_id"]))
    c = t.credit_alert.c
    statement = select(c.thresholds, c.told).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    found = (await connection.execute(statement.with_for_update())).one_or_none()
    return CreditAlert() if found is None else alert_of(found.thresholds, found.told)


async def choose(
    connection: AsyncConnection, tenant_id: int, customer_id: str, thresholds: Sequence[int] | None, now: int
) -> None:
    """What the customer wants from now on."""
    await _put(connection, tenant_id, customer_id, now, thresholds=None if thresholds is None else list(thresholds))


async def note_told(
    connection: AsyncConnection, tenant_id: int, customer_id: str, told: Collection[int], now: int
) -> None:
    """The thresholds that the customer has been told of and is below still."""
    await _put(connection, tenant_id, customer_id, now, told=msgspec.json.encode(sorted(told)).decode())


async def latest_purchase(connection: AsyncConnection, tenant_id: int, customer_id: str) -> int | None:
    """What the customer's latest order credited, in nano-USD."""
    c = t.purchase_order.c
    statement = select(c.credits_nano).where(
        c.tenant_id == tenant_id, c.customer_id == customer_id, c.lot_id.is_not(None)
    )
    found: int | None = await connection.scalar(statement.order_by(c.id.desc()).limit(1))
    return found


async def is_unwanted(connection: AsyncConnection, tenant_id: int, customer_id: str, kind: str) -> bool:
    """Whether the customer has ended mails of this kind."""
    o = t.mail_opt_out.c
    unwanted = exists().where(o.tenant_id == tenant_id, o.customer_id == customer_id, o.kind == kind)
    return bool(await connection.scalar(select(unwanted)))


async def _put(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int, **values: Any) -> None:
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"tenant_id": tenant_id, "customer_id": customer_id, "changed_at": now, **values}
    statement = add(t.credit_alert).values(row)
    own = t.credit_alert.c.tenant_id == tenant_id
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["customer_id"], set_={"changed_at": now, **values}, where=own)
    )
