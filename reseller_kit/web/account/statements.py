"""The pages `/account/billing/statements` and `…/{month}`: each month of the credit, also as PDF and CSV."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import NotFound
from ...core.statement import KINDS, parts
from ...db.engine import now_us
from ...flows.statement_files import customer_csv
from ...flows.statements import (
    CustomerStatement,
    customer_statement,
    movement_of,
    statement_months,
)
from ...theming import statement as views
from ...theming.render import find_theme, texts_of
from ...theming.statement_pdf import statement_pdf
from ..guards import known
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS, language_of, runtime_of
from ..pages.views import brand_of
from ..sessions import required_session
from ..viewing import no_file
from .portal import moment

_HERE: Final = "/account/billing/statements"
_NAME: Final = re.compile(r"([0-9]{4}-[0-9]{2})(\.csv|\.pdf)?", re.ASCII)
_LEGAL: Final = ("address", "country", "registration", "vat_id")


def statement_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list of months, and each of them in three forms."""

    @get(_HERE, guards=[known], viewable=True)
    async def months(request: Handler) -> Response[Any]:
        session = required_session(request)
        found = await statement_months(runtime_of(request).db, session.tenant_id, session.customer_id)
        view = views.StatementsView(tuple((str(one), dt.date(one.year, one.number, 1)) for one in found))
        return pages.answer(request, "account/statements.html", view=view, noindex=True)

    @get(_HERE + "/{name:str}", guards=[known], viewable=True)
    async def show(request: Handler, name: FromPath[str]) -> Response[Any]:
        asked = _NAME.fullmatch(name)
        if asked is None:
            raise NotFound("There is no such statement.")
        session = required_session(request)
        month, form = asked[1], asked[2]
        if form:
            no_file(request)
        found = await customer_statement(runtime_of(request).db, session.tenant_id, session.customer_id, month)
        if form == ".csv":
            return _file(customer_csv(found), "text/csv; charset=utf-8", f"statement-{month}.csv")
        view = _view(found)
        if form == ".pdf":
            storefront, lang = storefront_of(request), language_of(request)
            texts = texts_of(find_theme(pages.library, storefront.theme), lang)
            body = await asyncio.to_thread(statement_pdf, texts, brand_of(storefront), view, lang)
            return _file(body, "application/pdf", f"statement-{month}.pdf")
        return pages.answer(request, "account/statement.html", view=view, noindex=True)

    return [months, show]


def _file(body: bytes, media_type: str, name: str) -> Response[Any]:
    headers = {
        **SECURITY_HEADERS,
        "cache-control": "private, no-store",
        "content-disposition": f'attachment; filename="{name}"',
    }
    return Response(body, media_type=media_type, headers=headers)


def _view(found: CustomerStatement) -> views.StatementView:
    legal = found.tenant.settings.get("brand", {}).get("legal", {})
    zone = found.tenant.timezone
    moves = tuple(
        views.StatementMove(
            kind=kind,
            at=moment(moved.created_at, zone),
            amount=amount,
            title=moved.title,
            url=f"/account/billing/orders/{moved.order_id}" if moved.order_id else "",
            receipt=moved.receipt_number if moved.code == "grant" else "",
        )
        for moved in found.movements
        for kind, amount in parts(movement_of(moved))
    )
    return views.StatementView(
        name=str(found.month),
        month=dt.date(found.month.year, found.month.number, 1),
        opening=found.opening,
        closing=found.closing,
        sums=tuple((kind, getattr(found.sums, kind)) for kind in KINDS),
        models=tuple((use.model, use.calls, use.amount) for use in found.models),
        moves=moves,
        running=found.until > now_us(),
        seller=legal.get("company") or found.tenant.name,
        seller_lines=tuple(str(legal[name]) for name in _LEGAL if legal.get(name)),
        buyer_lines=tuple(text for text in (found.customer.name, found.customer.email) if text),
    )
