"""Identity's mails: put into the outbox, with tokens sealed. Sends none."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...core.ids import new_id
from ...db import outbox
from ...db.engine import Connection, now_us
from ...vault import Vault
from ..brand import told_moment
from .visit import Identity, Visit

SEALED: Final = "sealed"
"""Member of a mail's payload that only delivery opens."""


async def post(
    connection: Connection,
    identity: Identity,
    tenant_id: int,
    *,
    kind: str,
    recipient: str,
    once: str,
    content: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> None:
    """Add a mail to the caller's transaction. `once`: the same fact is told once; `token` is stored sealed."""
    payload = dict(content or {})
    if token is not None:
        key_id, sealed = identity.vault.seal(_name(tenant_id), msgspec.json.encode({"token": token}).decode())
        payload[SEALED] = [key_id, base64.b64encode(sealed).decode()]
    dedupe = f"{kind}:{once}"
    await outbox.add(
        connection, tenant_id, kind=kind, recipient=recipient, payload=payload, dedupe=dedupe, now=now_us()
    )


async def already_registered(connection: Connection, identity: Identity, tenant_id: int, address: str) -> None:
    """Tell an address that it has an account here, whoever wanted another one with it."""
    await post(connection, identity, tenant_id, kind="already_registered", recipient=address, once=new_id("req"))


async def two_factor_changed(
    connection: Connection, identity: Identity, visit: Visit, email: str, change: str, now: int
) -> None:
    """Tell the customer that a second step of the log-in came or went."""
    await post(
        connection,
        identity,
        visit.tenant_id,
        kind="two_factor_changed",
        recipient=email,
        once=new_id("req"),
        content={"change": change, **circumstances(visit, now)},
    )


def opened(vault: Vault, tenant_id: int | None, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A mail's payload as its templates read it."""
    content = {name: value for name, value in payload.items() if name != SEALED}
    if SEALED in payload:
        key_id, sealed = payload[SEALED]
        content |= msgspec.json.decode(vault.open(_name(tenant_id), key_id, base64.b64decode(sealed)))
    return content


def circumstances(visit: Visit, now: int) -> dict[str, Any]:
    """From where and when something was done, as a mail tells it."""
    return {"browser": visit.browser, "place": visit.place, "moment": told_moment(now, visit.timezone)}


def _name(tenant_id: int | None) -> str:
    return f"mail:{'platform' if tenant_id is None else tenant_id}"
