"""The page `/console/pricing/scheduled`: price changes that begin later, of which customers are told ahead."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.catalog import TOKEN_CLASSES
from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError, ModelNotFound, NotFound, NoticeTooShort
from ...core.manifest.texts import GLOB
from ...core.money import parse_markup, parse_token_price, parse_unit_price
from ...core.paging import Window
from ...core.roles import may
from ...core.storefront import priced_apart
from ...core.times import DAY_US
from ...db.engine import now_us
from ...flows import schedule
from ...flows.brand import notice_us
from ...flows.price_editor import effect_of_change, price_sheet
from ...flows.schedule import NewChange
from ...flows.simulate import Period, outlook
from ...theming import console_pricing as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from .dates import moment_of_field
from .guards import member_may
from .pricing import PREVIEW_DAYS
from .pricing_form import read_more, said
from .pricing_rows import preview_of, scheduled_row
from .sessions import member_of

HOME: Final = "/console/pricing/scheduled"
_PAGE: Final = 25
_DONE: Final = frozenset({"scheduled", "cancelled"})
_FIELDS: Final = {"effective_from": "begins", "model": "match", "set": "more"}


def schedule_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """What is scheduled, and the form of a new change."""

    @get(HOME, guards=[member_may("prices")])
    async def show(request: Handler) -> Response[Any]:
        return await _answer(pages, request)

    @post(HOME, guards=[member_may("prices", edit=True)])
    async def change(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if form.raw("do") == "cancel":
            return await _cancel(pages, request, form)
        try:
            new = _new_change(form, member_of(request).zone)
            if form.raw("do") == "schedule":
                return await _schedule(request, new)
            preview = await _preview(request, new)
        except InvalidForm as error:
            return await _answer(pages, request, form=form.view(error), status=422)
        return await _answer(pages, request, form=form.view(), preview=preview)

    return [show, change]


async def _schedule(request: Handler, new: NewChange) -> Response[Any]:
    db, slug = runtime_of(request).db, storefront_of(request).slug
    try:
        await schedule.schedule_price(db, slug, new, member_of(request).actor, with_notice=True)
    except NoticeTooShort as error:
        earliest = local(error.earliest, member_of(request).zone)
        told = (
            f"{error.message} Begin on {earliest:%Y-%m-%d at %H:%M} or later. Prices that fall may begin at any moment."
        )
        raise said(told, "begins") from None
    except (InvalidRequest, ModelNotFound, Conflict) as error:
        raise _problem(error) from None
    return see_other(f"{HOME}?done=scheduled")


async def _cancel(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    db, slug = runtime_of(request).db, storefront_of(request).slug
    try:
        await schedule.cancel_price(db, slug, form.raw("id")[:80], member_of(request).actor)
    except (Conflict, NotFound):
        told = said("This change does not wait any more.")
        return await _answer(pages, request, form=FormView(problems=form.view(told).problems), status=409)
    return see_other(f"{HOME}?done=cancelled")


async def _preview(request: Handler, new: NewChange) -> views.Preview:
    """What the change makes of today's prices, with what the calls of the last days would have earned."""
    db, slug, now = runtime_of(request).db, storefront_of(request).slug, now_us()
    effect = await effect_of_change(db, slug, new)
    found = await outlook(db, slug, effect.now, effect.then, Period(now - PREVIEW_DAYS * DAY_US, now))
    return preview_of(effect, found, PREVIEW_DAYS)


async def _answer(
    pages: Pages,
    request: Handler,
    *,
    form: FormView | None = None,
    preview: views.Preview | None = None,
    status: int = 200,
) -> Response[Any]:
    db, storefront, member = runtime_of(request).db, storefront_of(request), member_of(request)
    asked = request.query_params
    try:
        page = await schedule.list_scheduled(db, storefront.slug, Window(_PAGE, asked.get("cursor") or None))
    except InvalidRequest:
        page = await schedule.list_scheduled(db, storefront.slug, Window(_PAGE, None))
    sheet, ahead = await price_sheet(db, storefront.slug), notice_us(storefront.settings)
    done = asked.get("done", "")
    view = views.ScheduleView(
        rows=tuple(scheduled_row(row, member.zone, ahead) for row in page.items),
        form=form or FormView(),
        may_edit=may(member.role, "prices", edit=True),
        zone=storefront.timezone,
        notice_days=ahead // DAY_US,
        groups=tuple((one, one) for one in sorted(priced_apart(storefront.settings))),
        names=tuple(one.model for one in sheet.models if not one.hidden),
        preview=preview,
        older_url=f"{HOME}?cursor={page.next_cursor}" if page.next_cursor else "",
        done=done if done in _DONE and request.method == "GET" else "",
    )
    return pages.answer(request, "console/pricing_scheduled.html", view=view, status=status)


def _new_change(form: Form, zone: ZoneInfo) -> NewChange:
    """The change that was typed. Raises InvalidForm, naming the field."""
    group = form.line("group", 63, needed=False) or None
    match = form.line("match", 128, needed=False) or None
    if match is not None and not GLOB.fullmatch(match):
        raise said("This is no pattern. Write a model's name, with * for any text.", "match")
    texts = {name: form.line(name, 40, needed=False).removeprefix("$") for name in ("input", "output")}
    texts |= read_more(form.line("more", 1000, needed=False), "more")
    prices = {name: _price(name, text) for name, text in texts.items() if text}
    markup = form.line("markup", 40, needed=False)
    if group is not None and (match or prices or not markup):
        raise said("Of a group its own markup changes, and nothing else: give the markup alone.", "group")
    if prices and match is None:
        raise said("A price needs the models that it is for.", "match")
    if not prices and not markup:
        raise said("Say what is to change: a markup, or prices.", "markup")
    return NewChange(
        effective_from=_moment(form, zone),
        match=match,
        markup_ppm=_markup(markup) if markup else None,
        prices=prices,
        allow_loss=form.ticked("allow_loss"),
        group=group,
    )


def _markup(text: str) -> int:
    try:
        return parse_markup(text)
    except InvalidRequest as error:
        raise said(f"{error.message} {error.fix}", "markup") from None


def _price(name: str, text: str) -> int:
    try:
        return (parse_token_price if name in TOKEN_CLASSES else parse_unit_price)(text)
    except InvalidRequest as error:
        field = name if name in {"input", "output"} else "more"
        raise said(f"{error.message} {error.fix}", field) from None


def _moment(form: Form, zone: ZoneInfo) -> int:
    """The moment that the zone's clocks show so, the first of two."""
    begins = moment_of_field(form.line("begins", 40), zone)
    if begins is None:
        raise said("Give a day and a time.", "begins")
    return begins


def _problem(error: KitError) -> InvalidForm:
    if isinstance(error, ModelNotFound):
        return said("You offer no model that this would change the price of.", "match")
    param = error.param if isinstance(error, InvalidRequest) else None
    if param == "group":
        return said(f"{error.message} {error.fix}", "group")
    if param == "set":
        return said("One of these prices is for something that the models have no price of.", "more")
    if param == "effective_from":
        return said("Give a moment in the future, at most ten years ahead.", "begins")
    fix = " Raise the price, or allow prices below wholesale." if "below wholesale" in error.message else ""
    return said(f"{error.message}{fix}", _FIELDS.get(param or "", ""))
