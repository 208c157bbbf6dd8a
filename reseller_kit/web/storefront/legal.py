"""The pages `/legal/{document}`: what holds now, and every version before it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.times import SECOND_US
from ...db.legal import LegalRow
from ...theming.legal import DOCUMENTS, LegalText, LegalVersion, LegalView, legal_text
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import language_of, runtime_of
from ..pages.views import brand_of

_PATHS: Final = {document.replace("_", "-"): document for document in DOCUMENTS}
_MAX_VERSION: Final = 64


def legal_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The legal texts."""

    @get("/legal/{name:str}")
    async def show(request: Handler, name: FromPath[str]) -> Response[Any]:
        document = _PATHS.get(name)
        if document is None:
            raise NotFoundException
        return await _show(pages, request, document)

    return [show]


async def _show(pages: Pages, request: Handler, document: str) -> Response[Any]:
    storefront = storefront_of(request)
    if not storefront.open:
        return pages.answer(request, "storefront/legal.html")
    now = legal_text(pages.library, storefront.theme, brand_of(storefront), language_of(request), document)
    kept = await runtime_of(request).legal.show(storefront.tenant_id, document, now.lang, now.version, now.body)
    asked = request.query_params.get("version", now.version)[:_MAX_VERSION]
    found = next((row for row in kept if row.version == asked), None)
    if found is None:
        raise NotFoundException
    versions = tuple(LegalVersion(version=row.version, since=_day(row)) for row in kept)
    text = LegalText(document=document, lang=now.lang, version=found.version, body=found.body)
    view = LegalView(text=text, since=_day(found), earlier=found.version != now.version, versions=versions)
    return pages.answer(request, "storefront/legal.html", view=view, noindex=view.earlier)


def _day(row: LegalRow) -> dt.date:
    return dt.datetime.fromtimestamp(row.created_at // SECOND_US, dt.UTC).date()
