"""A tenant's face and address, for pages and mails alike: one brand feeds both. Renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ..core.catalog import PriceList, price_of
from ..core.manifest import DEFAULT_NOTICE_DAYS
from ..core.times import DAY_US
from ..core.urls import DEFAULT_PORT, public_url
from ..db import tenants
from ..db.tenants import Connection, Tenant
from ..theming import Brand, Legal, PriceRow
from ..theming.brand import BRAND_TEXTS, Link

DEFAULT_LANGUAGES: Final = ("en",)
_LIKE: Final = {"cache_write": "input", "cache_write_1h": "cache_write"}
"""Classes that are named only where their price is another than that of the class they fall back to."""


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
        languages=tuple(given.get("locales", ())) or DEFAULT_LANGUAGES,
        tokens=given.get("tokens", {}),
        settings=given.get("settings", {}),
        legal=msgspec.convert(given.get("legal", {}), Legal),
        texts={name: texts[name] for name in BRAND_TEXTS if name in texts},
        translations=given.get("translations", {}),
        menu=_links(given.get("menu", ())),
        footer=_links(given.get("footer", ())),
        social=given.get("social", {}),
        images=given.get("images", {}),
    )


def _links(given: Sequence[Mapping[str, Any]]) -> tuple[Link, ...]:
    return tuple(Link(link["to"], link.get("title") or "") for link in given)


def shown_prices(price_list: PriceList) -> tuple[PriceRow, ...]:
    """The prices that customers are shown: a class or tier only where it differs from what it follows."""
    tables = (price_list.prices, *(tier.prices for tier in price_list.tiers))
    names = dict.fromkeys(name for table in tables for name in table)
    shown = [name for name in names if name not in _LIKE or any(_differs(table, name) for table in tables)]
    rows = [PriceRow(class_name=name, pico=price_list.prices[name]) for name in shown if name in price_list.prices]
    for tier in price_list.tiers:
        rows += [
            PriceRow(class_name=name, pico=tier.prices[name], above_input=tier.above_input)
            for name in shown
            if name in tier.prices and tier.prices[name] != price_list.prices.get(name)
        ]
    return tuple(rows)


def _differs(prices: Mapping[str, int], name: str) -> bool:
    return name in prices and prices[name] != prices.get(_LIKE[name])


def changed_prices(before: PriceList, after: PriceList) -> list[tuple[PriceRow | None, PriceRow | None]]:
    """What is charged before and after, of each shown class and tier where that differs; None where there is none."""
    keys = dict.fromkeys((row.class_name, row.above_input) for row in (*shown_prices(after), *shown_prices(before)))
    pairs = [(_charged(before, *key), _charged(after, *key)) for key in keys]
    return [(old, new) for old, new in pairs if old != new]


def _charged(price_list: PriceList, usage_class: str, above_input: int) -> PriceRow | None:
    pico = price_of(price_list.at(above_input + 1), usage_class)
    return None if pico is None else PriceRow(class_name=usage_class, pico=pico, above_input=above_input)


def notice_us(settings: Mapping[str, Any]) -> int:
    """How long before a scheduled price begins a tenant's customers are told of it."""
    return int(settings.get("pricing", {}).get("notice_days", DEFAULT_NOTICE_DAYS)) * DAY_US


def told_moment(at_us: int, timezone: str) -> dict[str, Any]:
    """A moment in the payload of a mail, which writes it in its reader's language."""
    return {"at": at_us, "zone": timezone}


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
