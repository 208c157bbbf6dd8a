"""The brand's part of the isolation walk: a draft, a published revision, a picture, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import brand_images, brand_revisions
from reseller_kit.db.brand_images import Image
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]
CONTENT = {"theme": "daylight", "fields": {"name": "Ours"}, "settings": {}}
PICTURE = "a" * 64


def image(sha256: str = PICTURE) -> Image:
    return Image(
        sha256=sha256,
        kind="logo_light",
        content_type="image/png",
        width=1,
        height=1,
        size=3,
        body=b"png",
        author="test",
        created_at=1,
    )


READS: dict[str, Query] = {
    "brand_images.find": lambda c, tenant, _: brand_images.find(c, tenant, PICTURE),
    "brand_images.known": lambda c, tenant, _: brand_images.known(c, tenant, [PICTURE]),
    "brand_images.count": lambda c, tenant, _: brand_images.count(c, tenant),
    "brand_revisions.find": lambda c, tenant, _: brand_revisions.find(c, tenant, 1),
    "brand_revisions.published": lambda c, tenant, _: brand_revisions.published(c, tenant),
    "brand_revisions.page": lambda c, tenant, _: brand_revisions.page(c, tenant, 9, None),
    "brand_revisions.contents": lambda c, tenant, _: brand_revisions.contents(c, tenant),
}
WRITES: dict[str, Query] = {
    "brand_images.put": lambda c, tenant, _: brand_images.put(c, tenant, image("b" * 64)),
    "brand_images.drop_others": lambda c, tenant, _: brand_images.drop_others(c, tenant, [], 9),
    "brand_revisions.put_draft": lambda c, tenant, _: brand_revisions.put_draft(c, tenant, {}, author="test", at=5),
    "brand_revisions.drop_draft": lambda c, tenant, _: brand_revisions.drop_draft(c, tenant),
    "brand_revisions.publish": lambda c, tenant, _: brand_revisions.publish(
        c, tenant, {}, origin="edited", author="test", at=5
    ),
}


async def fill(connection: Connection, tenant_id: int, _: Customer) -> None:
    """One of everything."""
    await brand_revisions.publish(connection, tenant_id, CONTENT, origin="outside", author="test", at=1)
    await brand_revisions.put_draft(connection, tenant_id, CONTENT, author="test", at=1)
    await brand_images.put(connection, tenant_id, image())
