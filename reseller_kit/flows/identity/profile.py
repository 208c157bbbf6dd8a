"""What customers say of themselves: name, language, time zone. Changes nothing that they log in with."""

from __future__ import annotations

from ...core.errors import InvalidForm, NotFound
from ...core.manifest.findings import Refusal
from ...core.manifest.texts import read_timezone
from ...db import customers
from ...db.customers import Customer
from .visit import Identity, Visit


async def of(identity: Identity, tenant_id: int, customer_id: str) -> Customer:
    """The customer who is logged in. Raises NotFound for one that there is not."""
    async with identity.db.read(tenant_id) as connection:
        customer = await customers.find(connection, tenant_id, customer_id)
    if customer is None:
        raise NotFound("There is no such account.")
    return customer


async def save(
    identity: Identity, visit: Visit, customer_id: str, *, name: str, locale: str | None, timezone: str | None
) -> None:
    """Store the customer's choice; None leaves language and time zone to the storefront. Raises InvalidForm."""
    locales = visit.settings.get("brand", {}).get("locales", ["en"])
    if locale is not None and locale not in locales:
        raise InvalidForm({"locale": ("form.choose", {})})
    if timezone is not None:
        try:
            read_timezone(timezone)
        except Refusal:
            raise InvalidForm({"timezone": ("form.timezone", {})}) from None
    async with identity.write(visit.tenant_id) as connection:
        await customers.set_profile(
            connection, visit.tenant_id, customer_id, name=name, locale=locale, timezone=timezone
        )
