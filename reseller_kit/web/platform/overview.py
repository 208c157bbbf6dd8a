"""The operator's first page, the export of the configuration, and metrics."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ...core.times import SECOND_US
from ...db.upstreams import Upstream
from ...flows.circuits import worst
from ...flows.operator_overview import Overview, TenantStand, look
from ...flows.provision.export import drift, export_state
from ...theming import locale
from ...theming.charts import Point, bars
from ...theming.platform import DriftRow, LevelsRow, PlatformView, TenantRow, UpstreamRow
from ..console.guards import operator, operator_alone
from ..gateway.schema import document
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of


def overview_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """What the operator looks at first, and what it takes along."""

    @get("/", guards=[operator])
    async def show(request: Handler) -> Response[Any]:
        db = runtime_of(request).db
        found, differs = await look(db), await drift(db)
        rows = tuple(DriftRow(change.action, change.kind, change.id, tuple(change.fields)) for change in differs)
        return pages.answer(request, "platform/overview.html", view=_view(found, rows))

    @get("/tenants.toml", guards=[operator])
    async def export(request: Handler) -> Response[Any]:
        text = await export_state(runtime_of(request).db)
        headers = {**_PLAIN, "content-disposition": 'attachment; filename="tenants.toml"'}
        return Response(text, media_type="application/toml", headers=headers)

    @get("/metrics", guards=[operator_alone])
    async def metrics(request: Handler) -> Response[Any]:
        runtime = runtime_of(request)
        await runtime.backlog.look()
        body = await asyncio.to_thread(runtime.metrics.render)
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_PLAIN)

    @get("/schema", guards=[operator_alone])
    async def schema() -> Response[Any]:
        return Response(document(), headers=_PLAIN)

    return [show, export, metrics, schema]


_PLAIN = {**SECURITY_HEADERS, "cache-control": "no-store"}


def _view(found: Overview, differs: tuple[DriftRow, ...]) -> PlatformView:
    month = found.month
    return PlatformView(
        retail=month.retail,
        wholesale=month.wholesale,
        cost=month.cost,
        margin=month.margin,
        calls=month.calls,
        chart=bars([_point(at, sums.wholesale) for at, sums in found.days]),
        days=tuple(
            LevelsRow(day=_day(at), calls=sums.calls, retail=sums.retail, wholesale=sums.wholesale, cost=sums.cost)
            for at, sums in reversed(found.days)
        ),
        tenants=tuple(_tenant(stand) for stand in found.tenants),
        upstreams=tuple(
            _upstream(row.stored, {name for name, state in row.states.items() if state.standing == "parked"}, found)
            for row in found.upstreams
        ),
        stuck={
            "parked_mails": found.stuck.parked_mails,
            "late_mails": found.stuck.late_mails,
            "open_holds": found.stuck.open_holds,
            "parked_deliveries": found.stuck.parked_deliveries,
            "late_deliveries": found.stuck.late_deliveries,
            "orders": found.stuck.orders,
            "unasked_providers": found.stuck.unasked_providers,
            "reviews": found.stuck.reviews,
            "reports": found.stuck.reports,
            "appeals": found.stuck.appeals,
        },
        drift=differs,
    )


def _tenant(stand: TenantStand) -> TenantRow:
    row = stand.tenant
    return TenantRow(
        slug=row.slug,
        name=row.name,
        state="suspended" if row.suspended_at is not None else row.status,
        hosts=stand.hosts,
        customers=stand.customers,
        settlement=stand.settlement,
        balance=stand.wallet.balance,
        low=stand.low,
        calls=stand.month.calls,
        retail=stand.month.retail,
        wholesale=stand.month.wholesale,
        margin=stand.month.margin,
        tried=stand.tried,
        failed=stand.failed,
    )


def _upstream(row: Upstream, parked: set[str], found: Overview) -> UpstreamRow:
    circuits = found.circuits.get(row.name, [])
    pool = {key.fingerprint for key in row.keys}
    return UpstreamRow(
        name=row.name,
        status=row.status,
        base_url=row.base_url,
        models=len(row.models),
        keys=len(pool),
        parked=len(pool & parked),
        circuit=worst(circuits),
        reasons=tuple(f"{one.model}: {one.reason}" for one in circuits if one.reason),
    )


def _day(at: int) -> dt.date:
    return dt.datetime.fromtimestamp(at // SECOND_US, dt.UTC).date()


def _point(at: int, value: int) -> Point:
    return Point(locale.short_day("en", _day(at)), locale.day("en", _day(at)), value)
