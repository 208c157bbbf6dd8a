"""What past calls would have earned under other retail prices, computed call by call. Changes and publishes nothing."""

from __future__ import annotations

import asyncio
import fnmatch
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from msgspec import Struct, structs

from ..core.catalog import PriceList
from ..core.errors import InvalidRequest, ModelNotFound
from ..core.ids import new_id
from ..core.manifest import Levels
from ..core.manifest.schedule import ScheduledChange, folded, governed, levels_of, tenant_of, with_pricing
from ..core.pricing import charge
from ..core.storefront import priced_apart
from ..core.usage_file import CHARGED, UsedCall
from ..db import customers, prices, usage
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.prices import Published
from ..db.tenants import Tenant
from ..db.usage import UsageFilter, UsageRecord
from .prices import PriceLine, lines_of, offered_models
from .schedule import NewChange, read_deployment
from .tenants import require_tenant

_PAGE: Final = 1000
MOST_CALLS: Final = 20_000
"""So many calls are computed one by one within some seconds."""


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
        return _total(self.models)


class Outlook(Struct, frozen=True, kw_only=True):
    """What calls came to and what they would have come to, by model; `left_out`: calls that either has no price for.

    `calls` were looked at; `complete`: they are all of the period, else only its latest.
    """

    models: dict[str, Earnings]
    left_out: int
    calls: int
    complete: bool

    @property
    def total(self) -> Earnings:
        """All models together."""
        return _total(self.models)


_Books = Mapping[tuple[str | None, str], "_Prices"]
"""Group, None for customers in none, and public model → its prices."""


class _Prices(Struct, frozen=True):
    """The three lists that a model's calls are charged at."""

    now: PriceList
    then: PriceList
    wholesale: PriceList


async def simulate(db: Database, tenant_slug: str, new: NewChange, calls: Iterable[UsedCall] | Period) -> Simulation:
    """Charge each call at the prices in force and at those that the change would make, rounded as calls are.

    A change without terms leaves prices as they are. Nothing is refused for losing money: that is what one wants to
    see. Raises ModelNotFound for a pattern that fits no model on offer.
    """
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        books, lines = await _prices(connection, tenant, new, now)
        aliases = tenant.settings.get("catalog", {}).get("aliases", {})
        groups = await _groups_of(connection, tenant)
        found: dict[str, Earnings] = {}
        unpriced: Counter[str] = Counter()
        async for call in _calls(connection, tenant.id, calls, groups):
            model = aliases.get(call.model, call.model)
            earned = _charged(books.get((call.group, model)), call.quantities)
            if earned is None:
                unpriced[model] += 1
            else:
                found[model] = found.get(model, Earnings()).plus(earned)
    return Simulation(models=dict(sorted(found.items())), unpriced=dict(sorted(unpriced.items())), lines=lines)


async def outlook(
    db: Database,
    tenant_slug: str,
    now: Mapping[str, Levels],
    then: Mapping[str, Levels],
    period: Period,
    *,
    most: int = MOST_CALLS,
) -> Outlook:
    """Charge the tenant's calls of a period at the prices of both books; only the latest `most` where there are more.

    The wholesale of a call is all that the reseller pays for it, its own provider included.
    """
    books = {
        (group, model): _Prices(levels.retail_for(group), then[model].retail_for(group), levels.spent)
        for model, levels in now.items()
        if model in then
        for group in {None, *levels.groups, *then[model].groups}
    }
    found: dict[str, Earnings] = {}
    seen = left_out = 0
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        groups = await customers.members(connection, tenant.id, {group for group, _ in books if group is not None})
        before, more = None, True
        while more and seen < most:
            wanted = UsageFilter(None, period.since, before, period.until)
            records = await usage.page(connection, tenant.id, wanted, _PAGE)
            used = [_used(one, groups) for one in records if one.status in CHARGED]
            left_out += await asyncio.to_thread(_add_up, used, books, found)
            seen, more = seen + len(records), len(records) == _PAGE
            before = records[-1].id if records else None
    return Outlook(models=dict(sorted(found.items())), left_out=left_out, calls=seen - left_out, complete=not more)


def _used(record: UsageRecord, groups: Mapping[str, str]) -> UsedCall:
    """The call, at the prices of the group that its customer is in today."""
    return UsedCall(record.public_model, record.quantities, groups.get(record.customer_id))


async def _groups_of(connection: Connection, tenant: Tenant) -> dict[str, str]:
    """Customers who pay prices of their group's own, each with the group."""
    return await customers.members(connection, tenant.id, priced_apart(tenant.settings))


def _add_up(calls: Iterable[UsedCall], books: _Books, found: dict[str, Earnings]) -> int:
    """Add what the calls came to; how many have no price."""
    left_out = 0
    for call in calls:
        earned = _charged(books.get((call.group, call.model)), call.quantities)
        if earned is None:
            left_out += 1
        else:
            found[call.model] = found.get(call.model, Earnings()).plus(earned)
    return left_out


def _total(models: Mapping[str, Earnings]) -> Earnings:
    total = Earnings()
    for earnings in models.values():
        total = total.plus(earnings)
    return total


async def _prices(connection: Connection, tenant: Tenant, new: NewChange, now: int) -> tuple[_Books, list[PriceLine]]:
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
    if new.markup_ppm is None and not new.prices:
        then = levels_of(found.document, tenant.slug)
        decided = [name for name in then if name in published and fnmatch.fnmatchcase(name, new.match or "*")]
    else:
        then = levels_of(with_pricing(found.document, tenant.slug, folded(pricing, change)), tenant.slug)
        decided = [name for name in governed(then, pricing, change) if name in published]
    if not decided:
        raise ModelNotFound(
            f"Tenant {tenant.slug} offers no model that the change decides on.",
            fix=f"See: reseller-kit price show --tenant {tenant.slug}",
        )
    moved = {name: then[name] for name in decided}
    books: dict[tuple[str | None, str], _Prices] = {}
    books |= {(None, name): _prices_of(row, moved.get(name), None) for name, row in published.items()}
    for group in priced_apart(tenant.settings):
        for row in await prices.in_force(connection, tenant.id, now, group):
            if row.model in published:
                books[group, row.model] = _prices_of(row, moved.get(row.model), group)
    return books, [line for name in decided for line in lines_of(name, then[name])]


def _prices_of(row: Published, then: Levels | None, group: str | None) -> _Prices:
    later = row.retail if then is None else then.retail_for(group)
    return _Prices(row.retail, later, row.wholesale)


async def _calls(
    connection: Connection, tenant_id: int, calls: Iterable[UsedCall] | Period, groups: Mapping[str, str]
) -> AsyncIterator[UsedCall]:
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
                yield _used(record, groups)
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
