"""A batch of vouchers has one maker, however many ask for its name at once."""

from __future__ import annotations

import asyncio

from reseller_kit.core.errors import Conflict
from reseller_kit.db.engine import Database
from reseller_kit.flows.unlock import unlock
from reseller_kit.flows.vouchers import NewVoucher, VoucherTerms, create_vouchers, export_vouchers
from tests.support.factories import SECRET_KEY, make_tenant


async def test_two_at_once_do_not_share_a_batch(db: Database) -> None:
    await make_tenant(db, "aurora")
    await make_tenant(db, "boreal")
    vault = await unlock(db, SECRET_KEY)

    async def create(slug: str, batch: str) -> list[NewVoucher]:
        terms = VoucherTerms(amount=500)
        return await create_vouchers(db, vault, tenant_slug=slug, terms=terms, count=300, batch=batch, actor="test")

    asked = [("aurora", "spring")] * 4 + [("aurora", "summer"), ("boreal", "spring")]
    ended = await asyncio.gather(*(create(*each) for each in asked), return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in ended) == 3, ended
    assert sum(isinstance(outcome, list) for outcome in ended) == 3, ended
    for slug, batch in set(asked):
        assert len(await export_vouchers(db, slug, batch)) == 300
