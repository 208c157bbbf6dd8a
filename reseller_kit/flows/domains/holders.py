"""Who holds a host, or one above it: refuses what is another tenant's, without a word about whose. Writes nothing."""

from __future__ import annotations

from ...core.domain import parents
from ...core.errors import Conflict
from ...db import operator_domains
from ...db.engine import Connection


async def refuse_taken(connection: Connection, tenant_id: int, host: str, *, parents_too: bool = True) -> None:
    """Raise Conflict where the host is the tenant's already, another one's, or below a host of another one."""
    above = parents(host) if parents_too else ()
    for holder in await operator_domains.holders(connection, (host, *above)):
        if holder.tenant_id != tenant_id and holder.released_at is None:
            raise taken(host)
        if holder.tenant_id == tenant_id and holder.host == host and holder.state != "tombstone":
            raise Conflict(f"{host} is among your domains already.", fix="Check it there.")


def taken(host: str) -> Conflict:
    """Somebody else has it; who, is nobody's business."""
    return Conflict(
        f"{host} is in use elsewhere.", fix="If it is yours, ask whoever runs this service to have it released."
    )
