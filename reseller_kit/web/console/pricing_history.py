"""The page `/console/pricing/history`: every change of prices, each with the way back behind it. Changes nothing."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ...core.roles import may
from ...flows.price_history import price_changes
from ...theming.console_pricing import HistoryView
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from .guards import member_may
from .pricing_rows import change_row
from .sessions import member_of

HOME: Final = "/console/pricing/history"


def history_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Past changes of prices."""

    @get(HOME, guards=[member_may("prices")])
    async def show(request: Handler) -> Response[Any]:
        member, before = member_of(request), request.query_params.get("before", "")
        before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        changes, more = await price_changes(runtime_of(request).db, storefront_of(request).slug, before_id)
        view = HistoryView(
            changes=tuple(change_row(change, member.zone) for change in changes),
            may_edit=may(member.role, "prices", edit=True),
            older_url=f"{HOME}?before={changes[-1].id}" if more else "",
        )
        return pages.answer(request, "console/pricing_history.html", view=view)

    return [show]
