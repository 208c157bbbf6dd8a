"""Everything that guards an account, in one look. Changes nothing."""

from __future__ import annotations

from msgspec import Struct

from ...db import logins, passkeys, sessions
from ...db.engine import now_us
from ...db.passkeys import Passkey
from ...db.sessions import SessionRow
from .sessions import IDLE_US
from .visit import Identity


class Overview(Struct, frozen=True, kw_only=True):
    """How a customer logs in, and where it is logged in."""

    two_factor: bool
    recovery_codes: int
    passkeys: list[Passkey]
    sessions: list[SessionRow]


async def of_customer(identity: Identity, tenant_id: int, customer_id: str) -> Overview:
    """The customer's, as of now."""
    now = now_us()
    async with identity.db.read(tenant_id) as connection:
        found = await logins.find(connection, tenant_id, customer_id)
        return Overview(
            two_factor=found is not None and found.totp_at is not None,
            recovery_codes=await logins.recovery_codes_left(connection, tenant_id, customer_id),
            passkeys=await passkeys.of_holder(connection, tenant_id, passkeys.CUSTOMERS, customer_id),
            sessions=await sessions.of_customer(connection, tenant_id, customer_id, now=now, idle_since=now - IDLE_US),
        )
