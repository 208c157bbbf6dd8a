"""A customer's departure: what is deleted, and what stays without a name. Decides no date."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_OWN: Final[tuple[Table, ...]] = (
    t.customer_session,
    t.passkey,
    t.recovery_code,
    t.challenge,
    t.known_device,
    t.customer_link,
    t.stored_response,
    t.mail_opt_out,
)
"""Tables whose rows of a customer go."""


async def depart(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> bool:
    """Delete the personal data of a customer whose time has come; False for one whose has not.

    The address and name are taken from the customer, its mails and its cases, whose messages go; its keys are revoked
    and lose their names.
    """
    c = t.customer.c
    closing = (c.tenant_id == tenant_id, c.id == customer_id, c.status == "closing", c.delete_at <= now)
    email = await connection.scalar(select(c.email).where(*closing).with_for_update())
    if email is None:
        return False
    nobody = f"{customer_id.lower()}@deleted.invalid"
    gone = {"email": nobody, "name": "", "status": "deleted", "delete_at": None, "locale": None, "timezone": None}
    await connection.execute(update(t.customer).where(*closing).values(gone))
    login = t.customer_login.c
    await connection.execute(
        delete(t.customer_login).where(login.tenant_id == tenant_id, login.customer_id == customer_id)
    )
    for table in _OWN:
        await connection.execute(
            delete(table).where(table.c.tenant_id == tenant_id, table.c.customer_id == customer_id)
        )
    case = t.support_case.c
    own_cases = (case.tenant_id == tenant_id, case.customer_id == customer_id)
    await connection.execute(
        update(t.support_case).where(*own_cases).values(email=nobody, name="", subject="", about="", state="closed")
    )
    said = t.support_message.c
    of_own_cases = said.case_id.in_(select(case.id).where(*own_cases))
    await connection.execute(delete(t.support_message).where(said.tenant_id == tenant_id, of_own_cases))
    k, m = t.api_key.c, t.outbox.c
    mine = (k.tenant_id == tenant_id, k.customer_id == customer_id)
    await connection.execute(update(t.api_key).where(*mine).values(name=""))
    await connection.execute(update(t.api_key).where(*mine, k.revoked_at.is_(None)).values(revoked_at=now))
    # Also what the team was told of the customer: who wrote, who ordered.
    about = or_(m.payload["from"].as_string() == email, m.payload["customer"].as_string() == email)
    await connection.execute(update(t.outbox).where(m.tenant_id == tenant_id, about).values(payload={}))
    mails = (m.tenant_id == tenant_id, m.recipient == email)
    unsent = {"sent_at": now, "claim": None, "last_error": "The account was deleted before it was sent."}
    await connection.execute(update(t.outbox).where(*mails, m.sent_at.is_(None)).values(unsent))
    await connection.execute(update(t.outbox).where(*mails).values(recipient=nobody, payload={}))
    return True
