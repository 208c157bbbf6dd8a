"""The pages `/account/keys` and `/account/keys/{id}`: a customer's API keys, each shown in one answer only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.days import local, start_of
from ...core.errors import Conflict, InvalidForm, InvalidRequest
from ...core.money import format_amount, parse_amount
from ...core.paging import Window
from ...core.times import HOUR_US
from ...db.engine import now_us
from ...flows.keys import KeyTerms, KeyView, LimitReset, NewKey
from ...flows.own_keys import create_own_key, edit_own_key, own_key, own_keys, revoke_own_key, rotate_own_key
from ...theming import account as views
from ...theming.forms import FormView
from ..compression import own_words
from ..forms import Form, read_form
from ..guards import known, see_other, signed_in, verified
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..sessions import required_session
from .portal import moment, timezone_of

_LIST: Final = "account/keys.html"
_ONE: Final = "account/key.html"
_PAGE: Final = 50
_MAX_NAME: Final = 80
_MAX_LIST: Final = 2000
_PROBLEMS: Final[Mapping[str | None, str]] = {
    "limit": "account.wrong_limit",
    "reset": "account.wrong_reset",
    "models": "account.wrong_models",
    "expires": "account.wrong_expires",
    "rpm": "account.wrong_rpm",
    "concurrency": "account.wrong_concurrency",
    "allow_ips": "account.wrong_ips",
    "overlap": "account.wrong_overlap",
}


def key_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list of keys with the form of a new one, and the page of each."""

    @get("/account/keys", guards=[known], viewable=True)
    async def show(request: Handler) -> Response[Any]:
        return await _show_list(pages, request)

    @post("/account/keys", guards=[signed_in])
    async def change(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if form.raw("action") == "revoke":
            return await _revoke(pages, request, form)
        return await _create(pages, request, form)

    @get("/account/keys/{key_id:str}", guards=[known], viewable=True)
    async def show_one(request: Handler, key_id: FromPath[str]) -> Response[Any]:
        return await _show_one(pages, request, key_id, saved=request.query_params.get("saved") == "yes")

    @post("/account/keys/{key_id:str}", guards=[verified])
    async def change_one(request: Handler, key_id: FromPath[str]) -> Response[Any]:
        form = await read_form(request)
        if form.raw("action") == "rotate":
            return await _rotate(pages, request, key_id, form)
        return await _save(pages, request, key_id, form)

    return [show, change, show_one, change_one]


async def _show_list(pages: Pages, request: Handler, *, status: int = 200, **shown: Any) -> Response[Any]:
    session = required_session(request)
    timezone = timezone_of(request, session)
    window = Window(_PAGE, request.query_params.get("cursor") or None)
    page = await own_keys(runtime_of(request).db, storefront_of(request), session.customer_id, window)
    now = now_us()
    view = views.KeysView(
        keys=tuple(_row(found, timezone, now) for found in page.items),
        next_cursor=page.next_cursor,
        may_create=session.verified and session.status != "suspended",
        **shown,
    )
    own_words(request)
    return pages.answer(request, _LIST, view=view, status=status, noindex=True)


async def _show_one(
    pages: Pages, request: Handler, key_id: str, *, saved: bool = False, form: FormView | None = None
) -> Response[Any]:
    session = required_session(request)
    timezone = timezone_of(request, session)
    found = await own_key(runtime_of(request).db, storefront_of(request), session.customer_id, key_id)
    view = views.KeyView(
        key=_row(found, timezone, now_us()),
        saved=saved,
        form=form or _stored(found, timezone),
    )
    return pages.answer(request, _ONE, view=view, status=422 if form else 200, noindex=True)


async def _create(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session, runtime = required_session(request), runtime_of(request)
    await verified(request, request.route_handler)
    try:
        terms = _terms(form, timezone_of(request, session))
        with _as_form():
            made = await create_own_key(runtime.db, runtime.vault, storefront_of(request), session.customer_id, terms)
    except InvalidForm as error:
        return await _show_list(pages, request, status=422, form=form.view(error))
    return await _show_new(pages, request, made)


async def _rotate(pages: Pages, request: Handler, key_id: str, form: Form) -> Response[Any]:
    session, runtime = required_session(request), runtime_of(request)
    try:
        hours = _whole_number(form, "overlap") or 0
        with _as_form():
            made = await rotate_own_key(
                runtime.db, runtime.vault, storefront_of(request), session.customer_id, key_id, hours * HOUR_US
            )
    except InvalidForm as error:
        return await _show_one(pages, request, key_id, form=form.view(error))
    return await _show_new(pages, request, made)


async def _save(pages: Pages, request: Handler, key_id: str, form: Form) -> Response[Any]:
    session, db, storefront = required_session(request), runtime_of(request).db, storefront_of(request)
    timezone = timezone_of(request, session)
    stored = await own_key(db, storefront, session.customer_id, key_id)
    try:
        terms = _terms(form, timezone)
        if form.raw("expires") == _stored(stored, timezone).value("expires"):
            terms = msgspec.structs.replace(terms, expires_at=stored.owned.key.expires_at)
        with _as_form():
            await edit_own_key(db, storefront, session.customer_id, key_id, terms)
    except InvalidForm as error:
        return await _show_one(pages, request, key_id, form=form.view(error))
    return see_other(f"/account/keys/{key_id}?saved=yes")


async def _revoke(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session, db, storefront = required_session(request), runtime_of(request).db, storefront_of(request)
    found = await own_key(db, storefront, session.customer_id, form.raw("id"))
    await revoke_own_key(db, storefront, session.customer_id, found.owned.key.id)
    return await _show_list(pages, request, revoked=found.owned.key.name or f"{found.owned.key.prefix}…")


async def _show_new(pages: Pages, request: Handler, made: NewKey) -> Response[Any]:
    created = views.NewKeyView(secret=made.secret, name=made.owned.key.name)
    return await _show_list(pages, request, created=created)


@contextmanager
def _as_form() -> Iterator[None]:
    """What a flow refuses becomes a problem of the field that it names."""
    try:
        yield
    except InvalidRequest as error:
        field = error.param if error.param in _PROBLEMS else ""
        raise InvalidForm({field or "": (_PROBLEMS.get(field, "account.wrong_terms"), {})}) from None
    except Conflict:
        raise InvalidForm({"": ("account.key_conflict", {})}) from None


def _terms(form: Form, timezone: str) -> KeyTerms:
    """The terms that were typed. Raises InvalidForm, naming the field."""
    reset = form.line("reset", 20, needed=False) or None
    try:
        chosen = msgspec.convert(reset, LimitReset | None)
    except msgspec.ValidationError:
        raise InvalidForm({"reset": ("account.wrong_reset", {})}) from None
    return KeyTerms(
        name=form.line("name", _MAX_NAME, needed=False),
        limit=_amount(form, "limit"),
        reset=chosen,
        models=_list(form, "models"),
        expires_at=_end_of_day(form, "expires", timezone),
        requests_per_minute=_whole_number(form, "rpm"),
        concurrent_requests=_whole_number(form, "concurrency"),
        allow_ips=_list(form, "allow_ips"),
    )


def _amount(form: Form, name: str) -> int | None:
    text = form.line(name, 40, needed=False).removeprefix("$")
    if not text:
        return None
    try:
        return parse_amount(text)
    except InvalidRequest:
        raise InvalidForm({name: (_PROBLEMS[name], {})}) from None


def _whole_number(form: Form, name: str) -> int | None:
    text = form.line(name, 12, needed=False)
    if text and not (text.isascii() and text.isdigit()):
        raise InvalidForm({name: (_PROBLEMS[name], {})})
    return int(text) if text else None


def _list(form: Form, name: str) -> tuple[str, ...]:
    text = form.line(name, _MAX_LIST, needed=False)
    return tuple(dict.fromkeys(part for part in text.replace(",", " ").split() if part))


def _end_of_day(form: Form, name: str, timezone: str) -> int | None:
    """The end of the last day that a key works on."""
    text = form.line(name, 10, needed=False)
    if not text:
        return None
    try:
        return start_of(dt.date.fromisoformat(text) + dt.timedelta(days=1), ZoneInfo(timezone))
    except (ValueError, OverflowError):
        raise InvalidForm({name: (_PROBLEMS[name], {})}) from None


def _row(found: KeyView, timezone: str, now: int) -> views.KeyRow:
    key, use = found.owned.key, found.use
    state: views.KeyState = "revoked" if key.revoked_at is not None else "active" if key.works_at(now) else "expired"
    return views.KeyRow(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        state=state,
        created_at=moment(key.created_at, timezone),
        last_used_at=None if key.last_used_at is None else moment(key.last_used_at, timezone),
        expires_at=None if key.expires_at is None else moment(key.expires_at, timezone),
        limit=key.limit_nano,
        spent=0 if use is None else use.spent + use.reserved,
        reset=key.limit_reset or "",
        resets_at=None if use is None or use.resets_at is None else moment(use.resets_at, timezone),
        models=key.models,
        allow_ips=key.allow_ips,
        rpm=key.requests_per_minute,
    )


def _stored(found: KeyView, timezone: str) -> FormView:
    """A key's terms as its form shows them."""
    key = found.owned.key
    last_day = "" if key.expires_at is None else local(key.expires_at - 1, ZoneInfo(timezone)).date().isoformat()
    values = {
        "name": key.name,
        "limit": "" if key.limit_nano is None else format_amount(key.limit_nano),
        "reset": key.limit_reset or "",
        "models": ", ".join(key.models),
        "expires": last_day,
        "rpm": "" if key.requests_per_minute is None else str(key.requests_per_minute),
        "concurrency": "" if key.concurrent_requests is None else str(key.concurrent_requests),
        "allow_ips": ", ".join(key.allow_ips),
    }
    return FormView(values=values)
