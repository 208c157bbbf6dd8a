"""What `doctor` has to say of a storefront's hosts: by what their checks found, and by visiting them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from ..core.paging import MAX_LIMIT
from ..core.times import format_time
from ..core.urls import public_url
from ..db import operator, tenants
from ..db.engine import EVERY_TENANT, Database
from ..db.tenants import Tenant
from ..dns import Resolver
from .complaint import Complaint, complaint
from .domains import DomainView
from .domains.visit import visit

_LEAST_NAME: Final = 4
"""Shorter names of others are words that any page may have."""


def about_domains(slug: str, domains: Iterable[DomainView]) -> Iterator[Complaint]:
    """Domains that fail, are out of use, or can have no certificate."""
    for domain in domains:
        fix = f"See: reseller-kit domain check {domain.host} --tenant {slug}"
        if domain.state == "live" and domain.failing_since is not None:
            message = f"The domain {domain.host} fails its checks since {format_time(domain.failing_since)}."
            yield complaint("DR221", slug, message, fix)
        if domain.state == "detached" and domain.source == "console":
            message = f"The domain {domain.host} is out of use, because its records were wrong for too long."
            yield complaint("DR223", slug, message, fix, level="warning")
        if domain.state in {"verified", "live"} and domain.verdict.certifiable is False:
            message = f"CAA records of {domain.host} let nobody sign its certificate whom certificates come from."
            yield complaint("DR222", slug, message, fix, level="warning")


async def visit_hosts(db: Database, resolver: Resolver, tenant: Tenant, hosts: Iterable[str]) -> list[Complaint]:
    """What is met with at each of a tenant's storefront hosts."""
    async with db.read(EVERY_TENANT) as connection:
        platform = await tenants.platform_settings(connection)
        others = [row.name for row in await operator.tenants(connection, MAX_LIMIT, None) if row.id != tenant.id]
    names = [name for name in (*others, platform.get("name", "")) if len(name) >= _LEAST_NAME]
    origins = [public_url(host, platform.get("public_url")) for host in hosts]
    visits = await asyncio.gather(*(visit(resolver, origin, own=tenant.name, foreign=names) for origin in origins))
    return [complaint(wrong.code, tenant.slug, wrong.message, wrong.fix) for visited in visits for wrong in visited]
