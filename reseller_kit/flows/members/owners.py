"""Invitations to those whom a configuration names as owners, once each. Knows no role and no page."""

from __future__ import annotations

from typing import Final

from ...db import members, operator_members
from ...db.engine import EVERY_TENANT, Database, now_us
from ...vault import Vault
from ...vault.passwords import Passwords
from ..identity.visit import Identity
from .links import post_invitation

_AT_ONCE: Final = 500


async def invite_waiting(db: Database, vault: Vault) -> int:
    """Mail everybody who was named and has not been written to; how many. Repeating is harmless.

    A member's own transaction notes that it was done, so a crash leaves the rest for the next time.
    """
    async with db.read(EVERY_TENANT) as connection:
        waiting = await operator_members.uninvited(connection, _AT_ONCE)
    identity = Identity(db, vault, Passwords(vault.pepper)) if waiting else None
    done = 0
    for tenant_id, member_id in waiting:
        async with db.write(tenant_id) as connection:
            member = await members.by_id(connection, tenant_id, member_id)
            if identity is None or member is None:
                continue
            if not await members.note_invited(connection, tenant_id, member_id, now_us()):
                continue
            await post_invitation(connection, identity, member, "")
            done += 1
    return done
