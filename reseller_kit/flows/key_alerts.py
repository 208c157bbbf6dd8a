"""Tells of keys that were parked: the operator, or a reseller's owners where the upstream is its own. Parks none."""

from __future__ import annotations

import logging

from ..core.route_sets import owner_of
from ..core.times import format_time
from ..core.upstream_keys import KeyState
from ..db import outbox, tenants, upstream_keys
from ..db.engine import Connection

_log = logging.getLogger(__name__)


async def tell_of_parked(connection: Connection, upstream: str, fingerprint: str, state: KeyState, now: int) -> None:
    """Put the mails into the transaction that parks the key: one of it, and a louder one when it was the last.

    The operator's go to each of `[platform] alert_emails`. A key that fails on trial was told of when it was parked
    first, and is not told of again.
    """
    slug = owner_of(upstream)
    if slug is not None:
        await _tell_owners(connection, slug, upstream, fingerprint, state, now)
        return
    platform = await tenants.platform_settings(connection)
    recipients = platform.get("alert_emails", ())
    left = await upstream_keys.has_other_key(connection, upstream)
    if not left:
        _log.critical("every key of upstream %s is parked; it serves no call", upstream)
    content = {
        "upstream": upstream,
        "fingerprint": fingerprint,
        "reason": state.reason,
        "since": format_time(state.since),
    }
    kinds = ["upstream_key_parked"] if left else ["upstream_key_parked", "upstream_down"]
    for kind in kinds:
        for recipient in recipients:
            await outbox.add(
                connection,
                None,
                kind=kind,
                recipient=recipient,
                payload=content,
                dedupe=f"{kind}:{upstream}:{fingerprint}:{state.since}:{recipient}",
                now=now,
            )


async def _tell_owners(
    connection: Connection, slug: str, upstream: str, fingerprint: str, state: KeyState, now: int
) -> None:
    tenant = await tenants.find(connection, slug)
    if tenant is None:
        return
    left = await upstream_keys.has_other_key(connection, upstream)
    for member in await tenants.members(connection, tenant.id):
        if member.role != "owner" or member.status == "removed":
            continue
        await outbox.add(
            connection,
            tenant.id,
            kind="own_key_parked",
            recipient=member.email,
            payload={
                "storefront": tenant.name,
                "upstream": upstream.removeprefix(f"{slug}/"),
                "fingerprint": fingerprint,
                "reason": state.reason,
                "since": format_time(state.since),
                "last": not left,
            },
            dedupe=f"own_key_parked:{upstream}:{fingerprint}:{state.since}:{member.email}",
            now=now,
        )
