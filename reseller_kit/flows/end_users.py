"""Under which name upstreams know a customer, and which customer such a name is. Stores nothing.

A pseudonym is a keyed hash: nobody without the installation's pepper can tell whose it is, and it needs no table.
"""

from __future__ import annotations

import hmac
import re
from typing import Final

from msgspec import Struct

from ..core.errors import InvalidRequest, NotFound
from ..db import operator
from ..db.engine import EVERY_TENANT, Database
from ..vault import Vault, token_digest

_PURPOSE: Final = "end_user"
_BYTES: Final = 16
_FORM: Final = re.compile(r"eu_([0-9a-f]{32})(?:-[0-9a-f]{16})?")
_PAGE: Final = 5_000


class EndUser(Struct, frozen=True, kw_only=True):
    """The customer behind a pseudonym."""

    tenant: str
    customer_id: str
    email: str
    status: str


def pseudonym_of(pepper: bytes, tenant_id: int, customer_id: str) -> str:
    """What upstreams hear of a customer: always the same, and nothing else of anybody."""
    return "eu_" + token_digest(pepper, _PURPOSE, f"{tenant_id}\0{customer_id}")[:_BYTES].hex()


async def whois(db: Database, vault: Vault, identity: str) -> EndUser:
    """The customer that an upstream means; `identity` may name a user of that customer as well.

    Raises InvalidRequest for what is no such name, NotFound for one of no customer of this installation.
    """
    found = _FORM.fullmatch(identity.strip())
    if found is None:
        raise InvalidRequest(
            f"{identity[:80]!r} is no name that upstreams hear of customers.",
            param="id",
            fix="Copy it from the upstream's report: eu_ and 32 hexadecimal digits, then perhaps a hyphen and 16 more.",
        )
    wanted = f"eu_{found[1]}"
    after = ""
    async with db.read(EVERY_TENANT) as connection:
        while rows := await operator.customers_after(connection, after, _PAGE):
            for row in rows:
                if hmac.compare_digest(pseudonym_of(vault.pepper, row.tenant_id, row.id), wanted):
                    tenant = await operator.tenant_by_id(connection, row.tenant_id)
                    slug = "" if tenant is None else tenant.slug
                    return EndUser(tenant=slug, customer_id=row.id, email=row.email, status=row.status)
            after = rows[-1].id
    raise NotFound("No customer of this installation has that name.", fix="Was it said of another installation?")
