"""A reseller pays the operator: an order of the platform's own tenant that ends on the reseller's account.

It is placed, paid, refunded and reconciled as any other order; only what it credits is another account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.email import normalise_email
from ..core.errors import Conflict, InvalidRequest
from ..core.ids import new_id
from ..core.money import format_amount, parse_amount
from ..core.paging import Page, Window, after, page_of
from ..core.times import HOUR_US
from ..db import audit_log, customers, operator_orders, orders, outbox, packages, provisioning, tenants
from ..db.customers import Customer
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.orders import Order
from ..db.packages import Offer
from ..db.tenants import Tenant
from ..vault import Vault
from .customers import add_customer
from .orders import Placed, priced, terms_hash
from .orders.checkout import names_at, open_order
from .platform import ensure_platform
from .providers import DEFAULT, Providers
from .tenants import require_tenant

CODE: Final = "wholesale"
"""The offer of the platform's own tenant."""
_TITLE: Final = "Wholesale balance"
_LEAST: Final = "10.00"
_MOST: Final = "100000.00"
_LIST: Final = "topups"


class TopUp(Struct, frozen=True, kw_only=True):
    """What a reseller wants to pay, in nano-USD; `email`: who pays, by default the first owner.

    `request_key` makes what is asked for twice one order; `origin`: where the payer comes back to.
    """

    amount: int
    actor: str
    email: str | None = None
    request_key: str | None = None
    origin: str = ""


async def topup_limits(db: Database) -> tuple[int, int]:
    """Least and most that a reseller pays at once, in nano-USD."""
    async with db.read(NO_TENANT) as connection:
        terms = _terms(await tenants.platform_settings(connection))
    return parse_amount(terms["min"]), parse_amount(terms["max"])


async def list_topups(db: Database, tenant_slug: str, window: Window) -> Page[Order]:
    """What a reseller has paid or is to pay, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await operator_orders.of_beneficiary(
            connection, tenant.id, window.limit + 1, str(key[0]) if key else None
        )
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def top_up(db: Database, vault: Vault, providers: Providers, tenant_slug: str, wanted: TopUp) -> Placed:
    """An order for a reseller's account, opened for payment as the operator is paid.

    Raises NotFound, InvalidRequest for an amount out of bounds or a reseller without an owner, Conflict for a request
    key of another order, and what the provider raises.
    """
    async with db.write(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        platform = await ensure_platform(connection)
        payer = await _payer(connection, platform, await _address(connection, tenant, wanted.email))
        order = await _draft(connection, platform, payer, tenant, wanted)
    if order.state != "draft":
        return Placed(order, order.provider_facts.get("url"))
    through = await providers.named(platform.id, order.provider)
    names = names_at(db, vault, through, platform.id)
    found, checkout, opened = await open_order(
        db, through.provider, order, actor=wanted.actor, names=names, origin=wanted.origin
    )
    if opened and checkout.url is None:
        async with db.write(platform.id) as connection:
            await _ask_operators(connection, platform, tenant, found)
    return Placed(found, checkout.url)


async def _address(connection: Connection, tenant: Tenant, email: str | None) -> str:
    if email is not None:
        return normalise_email(email)
    members = await tenants.members(connection, tenant.id)
    owners = [member.email for member in members if member.role == "owner" and member.status != "removed"]
    if not owners:
        raise InvalidRequest(
            f"Tenant {tenant.slug} has no owner who could pay.", param="tenant", fix="Name one in owners, and apply."
        )
    return owners[0]


async def _payer(connection: Connection, platform: Tenant, email: str) -> Customer:
    """The operator's customer of this address: whoever pays for resellers."""
    found = await customers.find(connection, platform.id, email)
    return found or await add_customer(connection, platform, email, "", verified_at=now_us())


async def _offer(connection: Connection, platform: Tenant, settings: Mapping[str, Any]) -> Offer:
    """What is sold, published anew when its bounds have changed."""
    wanted = _terms(settings)
    found = await packages.offered(connection, platform.id, CODE)
    if found is None or found.terms != wanted:
        await provisioning.publish_package(connection, platform.id, CODE, wanted)
        found = await packages.offered(connection, platform.id, CODE)
    if found is None:
        raise LookupError("what was published is not there")
    return found


def _terms(settings: Mapping[str, Any]) -> dict[str, Any]:
    given = settings.get("topup", {})
    bounds = {"min": given.get("min", _LEAST), "max": given.get("max", _MOST)}
    return {"id": CODE, "title": _TITLE, "kind": "topup", **bounds}


async def _draft(connection: Connection, platform: Tenant, payer: Customer, tenant: Tenant, wanted: TopUp) -> Order:
    if wanted.request_key is not None:
        known = await orders.find_request(connection, platform.id, payer.id, wanted.request_key)
        if known is not None:
            if (known.beneficiary_id, known.price_nano) != (tenant.id, wanted.amount):
                raise Conflict("This key was used before, for something else.", fix="Give another one.")
            return known
    settings = await tenants.platform_settings(connection)
    offer = await _offer(connection, platform, settings)
    price, credited = priced(offer, wanted.amount)
    now = now_us()
    row = {
        "id": new_id("ord"),
        "customer_id": payer.id,
        "package_id": offer.id,
        "provider": str(settings.get("payments", {}).get("provider", DEFAULT)),
        "provider_facts": {},
        "price_nano": price,
        "credits_nano": credited,
        "terms_hash": terms_hash(offer),
        "request_key": wanted.request_key,
        "created_at": now,
        "lapses_at": now + HOUR_US,
        "beneficiary_id": tenant.id,
    }
    await orders.add(connection, platform.id, row, wanted.actor)
    facts = {"order": row["id"], "amount": format_amount(price)}
    await audit_log.record(connection, tenant.id, wanted.actor, "wholesale.topup", "tenant", tenant.slug, after=facts)
    made = await orders.find(connection, platform.id, str(row["id"]))
    if made is None:
        raise LookupError(f"{row['id']} is gone")
    return made


async def _ask_operators(connection: Connection, platform: Tenant, tenant: Tenant, order: Order) -> None:
    """Whoever works for the operator reads that a reseller wants to pay."""
    for member in await tenants.members(connection, platform.id):
        if member.status == "removed":
            continue
        payload = {
            "storefront": tenant.name,
            "slug": tenant.slug,
            "customer": order.email,
            "order": order.id,
            "title": order.title,
            "price": format_amount(order.price_nano),
            "credits": format_amount(order.credits_nano),
        }
        await outbox.add(
            connection,
            platform.id,
            kind="topup_to_approve",
            recipient=member.email,
            payload=payload,
            dedupe=f"topup_to_approve:{order.id}:{member.email}",
            now=now_us(),
        )
