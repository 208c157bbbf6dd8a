"""A provider's delivery: verified, kept once, answered. What it means is worked out behind the answer.

The body is kept as it came, encrypted, for a month.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...core.errors import NotFound
from ...db import inbox
from ...db.engine import Database, now_us
from ...db.inbox import NewDelivery
from ...payments import Provider
from ...payments.faults import asking
from ...vault import Vault
from .shapes import told
from .take import is_ours


async def receive(
    db: Database,
    vault: Vault,
    provider: Provider,
    *,
    tenant_id: int,
    name: str,
    body: bytes,
    headers: Mapping[str, str],
) -> bool:
    """Keep a delivery that reached `/webhooks/{name}` of a tenant; False when its event was there already.

    Raises NotFound where the tenant is paid in another way, InvalidRequest for a delivery that its provider did not
    sign, ServiceUnavailable where it fails at that: it is delivered again then.
    """
    if provider.name != name:
        raise NotFound("There is nothing here.")
    now = now_us()
    with asking(provider):
        delivery = provider.verify(body, headers, now)
    fact = delivery.fact
    if fact is not None:
        async with db.read(tenant_id) as connection:
            if not await is_ours(connection, tenant_id, provider, fact):
                # Another storefront's, which is paid through the same account: nothing of it is kept here.
                return False
    key_id, sealed = vault.seal_content(box_name(tenant_id, name, delivery.event_id), body)
    row = NewDelivery(
        provider=name,
        event_id=delivery.event_id,
        kind=delivery.kind,
        occurred_at=delivery.occurred_at,
        fact=None if fact is None else told(fact),
        key_id=key_id,
        sealed=sealed,
        received_at=now,
    )
    async with db.write(tenant_id) as connection:
        return await inbox.add(connection, tenant_id, row)


def box_name(tenant_id: int, provider: str, event_id: str) -> str:
    """What a delivery's body is sealed under."""
    return f"inbox:{tenant_id}:{provider}:{event_id}"
