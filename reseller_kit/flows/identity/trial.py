"""Trial credit: once for each mailbox that was verified on a storefront. Moves money through the ledger alone."""

from __future__ import annotations

import logging

from ...core.email import one_mailbox
from ...core.errors import Conflict, KitError
from ...core.money import parse_amount
from ...db import credits, customers  # noqa: A004  # the concept has this name
from ..grants import OPERATION, GrantTerms, grant_credit
from .visit import Identity, Visit

_log = logging.getLogger(__name__)
_PURPOSE = "trial"


async def grant(identity: Identity, visit: Visit, customer_id: str) -> None:
    """Give a verified customer the storefront's trial credit, unless its mailbox had it before.

    The ledger's idempotency decides, by a keyed hash of the mailbox: accounts that were deleted and addresses with tags
    count as one. Called after every log-in as well, so a process that died on the way loses nothing.
    """
    amount = parse_amount(visit.settings.get("signup", {}).get("trial_credit", "0.00"))
    if amount <= 0:
        return
    async with identity.db.read(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if customer is None or customer.verified_at is None or customer.status != "active":
            return
        once = f"trial:{visit.slug}:{identity.digest(_PURPOSE, one_mailbox(customer.email)).hex()}"
        if await credits.was_done(connection, visit.tenant_id, OPERATION, once):
            return
    try:
        await grant_credit(
            identity.db,
            tenant_slug=visit.slug,
            customer=customer.id,
            amount=amount,
            reason="Trial credit",
            terms=GrantTerms(kind="trial"),
            idempotency_key=once,
            actor="system",
        )
    except Conflict:
        # Given before: to another customer of this mailbox, or another amount.
        return
    except KitError:
        _log.exception("%s could not get its trial credit; the next log-in tries again", customer.id)
