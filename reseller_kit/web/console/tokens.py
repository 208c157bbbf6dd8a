"""The pages `/console/tokens`: what programs log in to the management API with, and its reference."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.apitoken import SCOPES
from ...core.days import local
from ...core.errors import InvalidForm, InvalidRequest
from ...core.paging import Window
from ...core.times import SECOND_US
from ...db.api_tokens import ApiToken
from ...db.engine import now_us
from ...flows import api_tokens as flow
from ...flows.api_tokens import MAX_NAME, TokenTerms
from ...theming.console_tokens import EndpointGroup, EndpointLine, ReferenceView, TokenLine, TokensView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..management import BASE, ENDPOINTS, REQUESTS_A_MINUTE, Endpoint, openapi
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, origin_of, runtime_of, storefront_of
from .dates import day_of_field
from .guards import member_may

_PATH: Final = "/console/tokens"
_PAGE: Final = 50


def token_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list with the form of a new token, and the reference."""

    @get(_PATH, guards=[member_may("tokens")])
    async def look(request: Handler) -> Response[Any]:
        done = request.query_params.get("done", "")
        return await _show(pages, request, done=done if done == "revoked" else "")

    @post(_PATH, guards=[member_may("tokens", edit=True)])
    async def act(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if form.raw("action") == "revoke":
            slug, actor = storefront_of(request).slug, member_of(request).actor
            await flow.revoke_token(runtime_of(request).db, slug, form.raw("token")[:80], actor=actor)
            return see_other(f"{_PATH}?done=revoked")
        return await _create(pages, request, form)

    @get(f"{_PATH}/reference", guards=[member_may("tokens")])
    async def reference(request: Handler) -> Response[Any]:
        view = ReferenceView(base=origin_of(request, pages.port) + BASE, rate=REQUESTS_A_MINUTE, groups=_GROUPS)
        return pages.answer(request, "console/api_reference.html", view=view)

    @get(f"{_PATH}/openapi.json", guards=[member_may("tokens")])
    async def description(request: Handler) -> Response[Any]:
        document = msgspec.json.encode(openapi(storefront_of(request).name, BASE))
        headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
        return Response(document, media_type="application/json", headers=headers)

    return [look, act, reference, description]


async def _create(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    runtime, member = runtime_of(request), member_of(request)
    chosen = form.fields.get("scopes", ())[: len(SCOPES)]
    try:
        terms = TokenTerms(name=form.line("name", MAX_NAME), scopes=chosen, expires_at=_expiry(form, member.zone))
        made = await flow.create_token(
            runtime.db,
            runtime.vault,
            storefront_of(request).slug,
            terms,
            actor=member.actor,
            member_id=member.id,
        )
    except InvalidRequest as error:
        problem = _problem(error)
        return await _show(pages, request, form=form.view(problem), chosen=chosen, status=problem.status)
    return await _show(pages, request, secret=made.secret)


def _expiry(form: Form, zone: ZoneInfo) -> int | None:
    """The end of the day that was typed, None for none."""
    typed = form.line("expires", 10, needed=False)
    at = day_of_field(typed, zone, after=True)
    if typed and at is None:
        raise InvalidForm({"expires": ("{text}", {"text": "Write days like 2026-01-31."})})
    return at


def _problem(error: InvalidRequest) -> InvalidForm:
    if isinstance(error, InvalidForm):
        return error
    return InvalidForm({error.param or "": ("{text}", {"text": error.message})})


async def _show(
    pages: Pages,
    request: Handler,
    *,
    form: FormView | None = None,
    chosen: tuple[str, ...] = (),
    secret: str = "",
    done: str = "",
    status: int = 200,
) -> Response[Any]:
    zone = member_of(request).zone
    window = Window(_PAGE, request.query_params.get("cursor") or None)
    found = await flow.list_tokens(runtime_of(request).db, storefront_of(request).slug, window)
    now = now_us()
    view = TokensView(
        lines=tuple(_line(row, zone, now) for row in found.items),
        scopes=SCOPES,
        base=origin_of(request, pages.port) + BASE,
        form=form or FormView(),
        chosen=chosen,
        secret=secret,
        done=done,
        older_url=f"{_PATH}?cursor={found.next_cursor}" if found.next_cursor else "",
        newest=window.cursor is None,
    )
    return pages.answer(request, "console/tokens.html", view=view, status=status)


def _line(row: ApiToken, zone: ZoneInfo, now: int) -> TokenLine:
    return TokenLine(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=row.scopes,
        status=flow.status_of(row, now),
        by=row.made_by,
        created=_moment(row.created_at, zone),
        used=None if row.last_used_at is None else _moment(row.last_used_at, zone),
        expires=None if row.expires_at is None else _moment(row.expires_at - SECOND_US, zone),
    )


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return local(at - at % SECOND_US, zone)


def _reference_line(one: Endpoint) -> EndpointLine:
    return EndpointLine(
        method=one.method,
        path=one.path,
        scope=one.scope,
        summary=one.summary,
        query=one.query,
        fields=tuple(
            (field.encode_name, _kind(field.type), field.required) for field in msgspec.structs.fields(one.body)
        )
        if one.body is not None
        else (),
    )


def _kind(annotation: Any) -> str:
    """A field's type in a word."""
    text = str(annotation)
    words = (("tuple", "list"), ("dict", "object"), ("bool", "true or false"), ("int", "number"))
    return next((word for name, word in words if name in text), "text")


_GROUPS: Final = tuple(
    EndpointGroup(name=name, lines=tuple(_reference_line(one) for one in some))
    for name, some in groupby(sorted(ENDPOINTS, key=lambda one: one.group), key=lambda one: one.group)
)
