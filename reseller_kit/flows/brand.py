"""A tenant's face and address, for pages and mails alike: one brand feeds both. Renders nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..core.urls import DEFAULT_PORT, public_url
from ..db import tenants
from ..db.tenants import Connection, Tenant
from ..theming import Brand, Legal
from ..theming.page import BRAND_TEXTS


def brand_of(name: str, slug: str, settings: Mapping[str, Any]) -> Brand:
    """The brand that a tenant's settings describe."""
    given: Mapping[str, Any] = settings.get("brand", {})
    texts = given.get("texts", {})
    return Brand(
        name=name,
        slug=slug,
        tagline=given.get("tagline", ""),
        support_email=given.get("support_email", ""),
        key_prefix=given.get("key_prefix", "sk"),
        tokens=given.get("tokens", {}),
        settings=given.get("settings", {}),
        legal=msgspec.convert(given.get("legal", {}), Legal),
        texts={name: texts[name] for name in BRAND_TEXTS if name in texts},
    )


async def storefront_host(connection: Connection, tenant: Tenant, platform: Mapping[str, Any]) -> str | None:
    """Where the tenant's pages are: its primary storefront, else any, else the fallback host; None without any."""
    pages = [
        d.host for d in await tenants.domains(connection, tenant.id) if (d.role, d.state) == ("storefront", "live")
    ]
    if not pages and platform.get("storefront_suffix"):
        pages = [f"{tenant.slug}.{platform['storefront_suffix']}"]
    return pages[0] if pages else None


async def origin_of(connection: Connection, tenant: Tenant, port: int = DEFAULT_PORT) -> str | None:
    """The absolute URL of the tenant's pages; None for a tenant without a host."""
    platform = await tenants.platform_settings(connection)
    host = await storefront_host(connection, tenant, platform)
    return None if host is None else public_url(host, platform.get("public_url"), port)
