"""The second ledger's price lists as the product stores them. Published like any other: a version never changes."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import insert

from reseller_kit.core.ids import new_id
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from tests.support.ledger import Shop
from tests.support.proof.model import LEVELS, LONG_CONTEXT, LONG_PRICES, PRICES


async def publish(db: Database, shop: Shop, *, at: int) -> Shop:
    """The shop with price versions of these lists, in force since `at`."""
    versions = {level: new_id("prc") for level in LEVELS}
    async with db.write(EVERY_TENANT) as connection:
        for level, version in versions.items():
            tier = {"above_input": LONG_CONTEXT, "prices": dict(LONG_PRICES[level])}
            await connection.execute(
                insert(t.price_version).values(
                    id=version,
                    tenant_id=None if level == "cost" else shop.tenant_id,
                    level=level,
                    model="gpt-test",
                    prices={"prices": dict(PRICES[level]), "tiers": [tier]},
                    effective_from=at,
                    created_at=at,
                )
            )
    return replace(shop, retail=versions["retail"], wholesale=versions["wholesale"], cost=versions["cost"])
