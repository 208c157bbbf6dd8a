"""The pages `/account` and `/account/steps`: where a customer arrives after logging in, and how far it has come."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from ...db.onboarding import Milestones
from ...flows.overview import milestones, overview
from ...theming.account import OverviewView, Steps
from ..guards import known
from ..pages import Handler, Pages
from ..pages.answer import language_of, runtime_of
from ..sessions import required_session
from .portal import bar_rows, call_rows, spending_chart, timezone_of


def overview_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The first page of the portal."""

    @get("/account", guards=[known], viewable=True)
    async def show(request: Handler) -> Response[Any]:
        session, db = required_session(request), runtime_of(request).db
        timezone = timezone_of(request, session)
        found = await overview(db, session.tenant_id, session.customer_id, timezone)
        if found is None:
            raise NotFoundException
        pace = found.pace
        view = OverviewView(
            available=found.money.available,
            reserved=found.money.reserved,
            debt=found.money.debt,
            today=pace.today,
            month=pace.month,
            average=pace.average,
            forecast=pace.forecast,
            lasts_days=pace.lasts_days,
            chart=spending_chart(found.bars, "day", language_of(request), "/account/usage?"),
            bars=bar_rows(found.bars),
            recent=call_rows(found.recent, timezone, {key.id: key.name for key in found.keys}),
            steps=_steps(found.steps),
        )
        return pages.answer(request, "account/overview.html", view=view, noindex=True)

    @get("/account/steps", guards=[known])
    async def steps(request: Handler) -> Response[Any]:
        session = required_session(request)
        found = await milestones(runtime_of(request).db, session.tenant_id, session.customer_id)
        return pages.answer(request, "account/steps.html", view=_steps(found), noindex=True)

    return [show, steps]


def _steps(found: Milestones) -> Steps:
    return Steps(found.verified, found.credited, found.key_made, found.called)
