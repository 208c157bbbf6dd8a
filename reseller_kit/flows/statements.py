"""Statements of a month: of a customer's credit, and of what a reseller sold. Sums of the ledger; moves nothing.

A customer's never names wholesale, a reseller's never what the operator pays. Months are those of the tenant's zone.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import local, start_of
from ..core.errors import InvalidRequest, NotFound
from ..core.ids import made_at
from ..core.months import Month, parse_month
from ..core.statement import ModelUse, Movement, Sums, sums
from ..core.wholesale import wholesale_terms
from ..db import accounts, customers, operator, rollups, statements
from ..db.customers import Customer
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.rollups import SumFilter
from ..db.statements import Moved, Sales
from ..db.tenants import Tenant
from .customers import require_customer
from .subscription_periods import UPGRADE
from .tenants import require_tenant

_CREDIT: Final = "customer_wallet"
_MOST_MONTHS: Final = 120


class CustomerStatement(Struct, frozen=True, kw_only=True):
    """A month of a customer's credit, in nano-USD. `movements`: everything beside calls, oldest first."""

    month: Month
    since: int
    until: int
    opening: int
    closing: int
    sums: Sums
    models: tuple[ModelUse, ...]
    movements: tuple[Moved, ...]
    tenant: Tenant
    customer: Customer


class ResellerModel(Struct, frozen=True, kw_only=True):
    """What calls of one model came to for the reseller, in nano-USD."""

    model: str
    calls: int
    retail: int
    wholesale: int

    @property
    def margin(self) -> int:
        """What is left of retail."""
        return self.retail - self.wholesale


class ResellerStatement(Struct, frozen=True, kw_only=True):
    """A month of a reseller, in nano-USD.

    `retail` and `wholesale` are the calls of the month as they were charged. `account`: what moved the account that
    calls draw on, by code, between `opening` and `closing`; `credited`: what moved customers' credit, by code.
    """

    month: Month
    since: int
    until: int
    sales: Sales
    models: tuple[ResellerModel, ...]
    retail: int
    wholesale: int
    opening: int
    closing: int
    account: dict[str, int]
    credited: dict[str, int]
    tenant: Tenant

    @property
    def margin(self) -> int:
        """What is left of retail."""
        return self.retail - self.wholesale


async def customer_statement(db: Database, tenant_id: int, customer_id: str, month: str) -> CustomerStatement:
    """A customer's month, such as 2026-11. Raises InvalidRequest for what is no month or has not begun, NotFound."""
    async with db.read(tenant_id) as connection:
        tenant = await _tenant(connection, tenant_id)
        customer = await customers.find(connection, tenant_id, customer_id)
        if customer is None:
            raise NotFound("There is no such customer.")
        wanted = _month(month)
        since, until = span_of(wanted, tenant)
        wallet = customer.wallet_id
        found = await statements.movements(connection, tenant_id, wallet, since, until)
        models = await statements.calls_by_model(connection, tenant_id, wallet, since, until)
        moved = [movement_of(one) for one in found]
        moved += [Movement(code="call", amount=use.amount) for use in models]
        closing = await statements.balance_at(connection, tenant_id, wallet, until)
        opening = closing - sum(one.amount for one in moved)
        if len(found) == statements.MAX_ROWS:
            opening = await statements.balance_at(connection, tenant_id, wallet, since)
        return CustomerStatement(
            month=wanted,
            since=since,
            until=until,
            opening=opening,
            closing=closing,
            sums=sums(moved),
            models=tuple(models),
            movements=tuple(found),
            tenant=tenant,
            customer=customer,
        )


async def statement_of(db: Database, tenant_slug: str, customer: str, month: str) -> CustomerStatement:
    """A customer's month by its tenant's slug and its own address or id. Raises as `customer_statement` does."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
    return await customer_statement(db, tenant.id, owner.id, month)


async def statement_months(db: Database, tenant_id: int, customer_id: str) -> list[Month]:
    """The months that a customer has statements of, the latest first, the one that runs included."""
    async with db.read(tenant_id) as connection:
        tenant = await _tenant(connection, tenant_id)
    zone = ZoneInfo(tenant.timezone)
    first, last = (_of_moment(at, zone) for at in (made_at(customer_id), now_us()))
    found: list[Month] = []
    while first <= last and len(found) < _MOST_MONTHS:
        found.append(last)
        last = last.later(-1)
    return found


async def reseller_statement(db: Database, tenant_slug: str, month: str) -> ResellerStatement:
    """A reseller's month. Raises NotFound, InvalidRequest for what is no month or has not begun."""
    wanted = _month(month)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        since, until = span_of(wanted, tenant)
        settlement = wholesale_terms(tenant.settings).settlement
        drawn_on = await accounts.drawn_on(connection, tenant.id, settlement)
        kinds = (_CREDIT, accounts.DRAWN_ON[settlement])
        moved = await statements.by_code(connection, tenant.id, kinds, since, until)
        by_model = await rollups.sums(connection, tenant.id, SumFilter(None, since, until), "model")
        closing = drawn_on.balance - sum(one.amount for one in moved if one.later and one.kind != _CREDIT)
        credited, account = (
            {one.code: one.amount for one in moved if not one.later and (one.kind == _CREDIT) is credit}
            for credit in (True, False)
        )
        return ResellerStatement(
            month=wanted,
            since=since,
            until=until,
            sales=await statements.sales(connection, tenant.id, since, until),
            models=tuple(
                ResellerModel(
                    model=str(name), calls=found.calls, retail=found.retail_nano, wholesale=found.wholesale_nano
                )
                for name, found in by_model
            ),
            retail=sum(one.retail_nano for _, one in by_model),
            wholesale=sum(one.wholesale_nano for _, one in by_model),
            opening=closing - sum(account.values()),
            closing=closing,
            account=account,
            credited=credited,
            tenant=tenant,
        )


def movement_of(moved: Moved) -> Movement:
    """A stored movement as the sums take it."""
    included = moved.request_key.startswith(UPGRADE) and not moved.price
    return Movement(code=moved.code, amount=moved.amount, price=moved.price, included=included)


def _month(text: str) -> Month:
    return parse_month(text)


def span_of(month: Month, tenant: Tenant) -> tuple[int, int]:
    """The month's first moment in the tenant's zone, and the next one's. Raises InvalidRequest before it begins."""
    zone, after = ZoneInfo(tenant.timezone), month.later()
    since = start_of(dt.date(month.year, month.number, 1), zone)
    if since > now_us():
        raise InvalidRequest(f"{month} has not begun.", param="month", fix="Give a month that has.")
    return since, start_of(dt.date(after.year, after.number, 1), zone)


def _of_moment(at: int, zone: ZoneInfo) -> Month:
    moment = local(at, zone)
    return Month(moment.year, moment.month)


async def _tenant(connection: Connection, tenant_id: int) -> Tenant:
    tenant = await operator.tenant_by_id(connection, tenant_id)
    if tenant is None:
        raise NotFound("There is no such tenant.")
    return tenant
