"""What `tenant doctor` has to say of how a tenant is paid. Asks no provider: it tells what the last try came to."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.paging import MAX_LIMIT
from ..core.times import format_time
from ..db import operator
from ..db.engine import EVERY_TENANT, Database
from ..vault import Vault
from .complaint import Complaint, complaint
from .payment_setup import Setup, read_setup
from .providers import DEFAULT, Providers


async def examine_payments(db: Database, vault: Vault) -> list[Complaint]:
    """How every tenant is paid that is not archived."""
    async with db.read(EVERY_TENANT) as connection:
        rows = await operator.tenants(connection, MAX_LIMIT, None)
    return [found for row in rows if row.status != "archived" for found in await about_payments(db, vault, row.slug)]


async def about_payments(db: Database, vault: Vault, slug: str) -> list[Complaint]:
    """Raises NotFound."""
    providers = Providers(db, vault)
    try:
        return list(_found(slug, await read_setup(db, providers, slug)))
    finally:
        providers.close()


def _found(slug: str, setup: Setup) -> Iterator[Complaint]:
    name = setup.fields.get("provider", DEFAULT)
    if setup.missing:
        fix = "Complete [tenants.payments] in tenants.toml, then run reseller-kit apply; or let the team do it."
        yield complaint("DR241", slug, f"Nobody can pay by {name}: {setup.missing}", fix)
    if setup.tried is not None and setup.tried.problem:
        message = f"{name} refused when it was tried at {format_time(setup.tried.at)}: {setup.tried.problem}"
        fix = "Correct the credentials, then press Check now on the console's page of payments."
        yield complaint("DR242", slug, message, fix, level="warning")
