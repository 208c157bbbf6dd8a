"""What past calls would have earned under other retail prices, computed call by call. Changes and publishes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from msgspec import Struct, structs

from ..core.catalog import PriceList
from ..core.errors import InvalidRequest, ModelNotFound
from ..core.ids import new_id
from ..core.manifest.schedule import ScheduledChange, folded, governed, levels_of, tenant_of, with_pricing
from ..core.pricing import charge
from ..core.usage_file import CHARGED, UsedCall
from ..db import prices, usage
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.tenants import Tenant
from ..db.usage import UsageFilter
from .prices import PriceLine, lines_of, offered_models
from .schedule import NewChange, read_deployment
from .tenants import require_tenant

_PAGE: Final = 1000


class Period(Struct, frozen=True):
    """The tenant's own calls from `since` on and before `until` (µs)."""

    since: int
    until: int


class Earnings(Struct, frozen=True, kw_only=True):
    """Charges of a number of calls, in nano-USD: at retail now and then, and at wholesale."""

    calls: int = 0
    retail_now: int = 0
    retail_then: int = 0
    wholesale: int = 0

    def plus(self, other: Earnings) -> Earnings:
        """Both together."""
        pairs = zip(structs.astuple(self), structs.astuple(other), strict=True)
        return Earnings(**dict(zip(Earnings.__struct_fields__, (one + two for one, two in pairs), strict=True)))

    @property
    def margin_now(self) -> int:
        """What is left of retail."""
        return self.retail_now - self.wholesale

    @property
    def margin_then(self) -> int:
        """What would be left of it."""
        return self.retail_then - self.wholesale


class Simulation(Struct, frozen=True, kw_only=True):
    """Earnings by public model; `unpriced`: calls of models, or of classes, that have no price now.

    `lines` are the prices that the change would make.
    """

    models: dict[str, Earnings]
    unpriced: dict[str, int]
    lines: list[PriceLine]

    @property
    def total(self) -> Earnings:
        """All models together."""
        total = Earnings()
        for earnings in self.models.values():
            total = total.plus(earnings)
        return total


class _Prices(Struct, frozen=True):
    """The three lists that a model's calls are charged at."""

    now: PriceList
    then: PriceList
    wholesale: PriceList


async def simulate(db: Database, tenant_slug: str, new: NewChange, calls: Iterable[UsedCall] | Period) -> Simulation:
    """Charge each call at the prices in force and at those that the change would make, rounded as calls are.

    Nothing is refused for losing money: that is what one wants to see. Raises ModelNotFound for a pattern that fits no
    model on offer.
    """
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        books, lines = await _prices(connection, tenant, new, now)
        aliases = tenant.settings.get("catalog", {}).get("aliases", {})
        found: dict[str, Earnings] = {}
        unpriced: Counter[str] = Counter()
        async for call in _calls(connection, tenant.id, calls):
            model = aliases.get(call.model, call.model)
            earned = _charged(books.get(model), call.quantities)
            if earned is None:
                unpriced[model] += 1
            else:
                found[model] = found.get(model, Earnings()).plus(earned)
    return Simulation(models=dict(sorted(found.items())), unpriced=dict(sorted(unpriced.items())), lines=lines)


async def _prices(
    connection: Connection, tenant: Tenant, new: NewChange, now: int
) -> tuple[dict[str, _Prices], list[PriceLine]]:
    if new.prices and new.match is None:
        raise InvalidRequest(
            "A price needs the models that it is for.", param="model", fix="Give --model GLOB as well."
        )
    found = await read_deployment(connection, now)
    offered = await offered_models(connection, tenant)
    published = {row.model: row for row in await prices.in_force(connection, tenant.id, now) if row.model in offered}
    change = ScheduledChange(
        id=new_id("sch"),
        effective_from=now,
        match=new.match,
        markup_ppm=new.markup_ppm,
        prices=new.prices,
        allow_loss=True,
    )
    pricing = tenant_of(found.document, tenant.slug).pricing
    then = levels_of(with_pricing(found.document, tenant.slug, folded(pricing, change)), tenant.slug)
    decided = [name for name in governed(then, pricing, change) if name in published]
    if not decided:
        raise ModelNotFound(
            f"Tenant {tenant.slug} offers no model that the change decides on.",
            fix=f"See: reseller-kit price show --tenant {tenant.slug}",
        )
    books = {
        name: _Prices(row.retail, then[name].retail if name in decided else row.retail, row.wholesale)
        for name, row in published.items()
    }
    return books, [line for name in decided for line in lines_of(name, then[name])]


async def _calls(connection: Connection, tenant_id: int, calls: Iterable[UsedCall] | Period) -> AsyncIterator[UsedCall]:
    if not isinstance(calls, Period):
        for call in calls:
            yield call
        return
    before = None
    while True:
        wanted = UsageFilter(None, calls.since, before, calls.until)
        records = await usage.page(connection, tenant_id, wanted, _PAGE)
        for record in records:
            if record.status in CHARGED:
                yield UsedCall(record.public_model, record.quantities)
        if len(records) < _PAGE:
            return
        before = records[-1].id


def _charged(lists: _Prices | None, quantities: Mapping[str, int]) -> Earnings | None:
    """One call's charges; None where it can't be priced. A call is at least one request, should these have a price."""
    used = {"request": 1, **quantities}
    if lists is None:
        return None
    try:
        return Earnings(
            calls=1,
            retail_now=charge(lists.now, used),
            retail_then=charge(lists.then, used),
            wholesale=charge(lists.wholesale, used),
        )
    except KeyError:
        return None
