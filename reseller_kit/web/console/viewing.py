"""`View as customer`: where a member begins and ends to look at the portal as one of its customers sees it."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import InvalidRequest
from ...flows import customer_view
from ..cookies import cookie_of
from ..forms import read_form
from ..guards import HOME, see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from ..viewing import COOKIE, drop, keep, onlooker_of
from .customers import PATH, show_customer
from .guards import member_may

_MAX_REASON: Final = 200
_END: Final = "/console/view/end"


def viewing_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Where a view begins and ends."""

    @post(PATH + "/{customer_id:str}/view", guards=[member_may("customers", edit=True)])
    async def begin(request: Handler, customer_id: FromPath[str]) -> Response[Any]:
        form, onlooker = await read_form(request), onlooker_of(member_of(request))
        try:
            reason = form.line("reason", _MAX_REASON)
        except InvalidRequest as error:
            return await show_customer(pages, request, customer_id, form, error, action="view")
        token = await customer_view.begin(runtime_of(request).identity, onlooker, customer_id, reason)
        answer = see_other(HOME)
        keep(request, answer, token)
        return answer

    @post(_END, guards=[member_may("customers", edit=True)])
    async def end(request: Handler) -> Response[Any]:
        await read_form(request)
        token, onlooker = cookie_of(request.scope, COOKIE) or "", onlooker_of(member_of(request))
        customer_id = await customer_view.end(runtime_of(request).identity, onlooker, token)
        answer = see_other(PATH if customer_id is None else f"{PATH}/{customer_id}")
        drop(request, answer)
        return answer

    return [begin, end]
