"""The pages below `/console/customers/groups`: groups of customers, and each with its form and what it pays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct, structs

from ...core.errors import Conflict, InvalidForm, InvalidManifest, InvalidRequest, NotFound
from ...core.manifest.texts import NAME
from ...core.roles import may
from ...flows import group_editor as flow
from ...flows.group_editor import GroupPrice, GroupRow, Groups
from ...flows.package_editor import new_code
from ...flows.provision.edit import problems_of
from ...theming import console_groups as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from .guards import member_may
from .pricing_form import said
from .pricing_rows import MAIN, label_of, percent_of, price_text, unit_of
from .sessions import member_of

HOME: Final = "/console/customers/groups"
NEW: Final = f"{HOME}/new"
EDIT: Final = f"{HOME}/edit"
_LIMITS: Final = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
_LIMIT_TEXTS: Final = ("{} requests a minute", "{} tokens a minute", "{} requests at once")
_FIELDS: Final = ("title", "markup", "allow_loss", *_LIMITS)
_MAX_LINE: Final = 200
_SHOWN_PRICES: Final = 200
_STALE: Final = "Somebody else changed the groups meanwhile. Look at them and send this again."
_DONE: Final = frozenset({"saved", "withdrawn"})
_PATH: Final = re.compile(r"groups\[\d+\]\.?(?:limits\.)?(\w*).*")


class _Sheet(Struct, frozen=True, kw_only=True):
    """A group's form with what belongs to it. `row` None: it is new. `prices` None: there is nothing to show."""

    groups: Groups
    row: GroupRow | None
    form: FormView
    prices: Iterable[GroupPrice] | None = None
    previewed: bool = False


def group_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list of groups, and the form of each."""

    @get(HOME, guards=[member_may("prices")])
    async def show(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(HOME, guards=[member_may("prices", edit=True)])
    async def withdraw(request: Handler) -> Response[Any]:
        return await _withdraw(pages, request, await read_form(request))

    @get(NEW, guards=[member_may("prices", edit=True)])
    async def begin(request: Handler) -> Response[Any]:
        return _answer(pages, request, _Sheet(groups=await _groups(request), row=None, form=FormView()))

    @post(NEW, guards=[member_may("prices", edit=True)])
    async def make(request: Handler) -> Response[Any]:
        return await _save(pages, request, await read_form(request), None)

    @get(EDIT + "/{group_id:str}", guards=[member_may("prices")])
    async def show_one(request: Handler, group_id: FromPath[str]) -> Response[Any]:
        groups = await _groups(request)
        row = groups.find(group_id)
        form, prices = FormView(values=_texts(row.terms)), flow.prices_of(groups.levels, group_id)
        return _answer(pages, request, _Sheet(groups=groups, row=row, form=form, prices=prices))

    @post(EDIT + "/{group_id:str}", guards=[member_may("prices", edit=True)])
    async def change(request: Handler, group_id: FromPath[str]) -> Response[Any]:
        return await _save(pages, request, await read_form(request), group_id)

    return [show, withdraw, begin, make, show_one, change]


async def _list(
    pages: Pages, request: Handler, *, problem: InvalidForm | None = None, status: int = 200
) -> Response[Any]:
    groups, done = await _groups(request), request.query_params.get("done", "")
    view = views.GroupsView(
        lines=tuple(_line(row) for row in groups.rows),
        left=tuple(sorted(groups.left.items())),
        markup=groups.markup,
        mark=groups.mark,
        may_edit=_may_edit(request),
        form=FormView() if problem is None else Form({}).view(problem),
        done=done if done in _DONE and request.method == "GET" else "",
    )
    return pages.answer(request, "console/groups.html", view=view, status=status)


async def _withdraw(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    runtime, slug, actor = runtime_of(request), storefront_of(request).slug, member_of(request).actor
    group_id, mark = form.raw("code")[:80], form.raw("mark")
    try:
        await flow.withdraw_group(runtime.db, runtime.vault, slug, group_id, expected=mark, actor=actor)
    except NotFound:
        return await _list(pages, request, problem=said("This group is not there any more."), status=404)
    except Conflict:
        return await _list(pages, request, problem=said(_STALE), status=409)
    return see_other(f"{HOME}?done=withdrawn")


async def _save(pages: Pages, request: Handler, form: Form, group_id: str | None) -> Response[Any]:
    """Any button of a group's form: look at its prices, or let it have them."""
    groups = await _groups(request)
    row = None if group_id is None else groups.find(group_id)
    sheet = _Sheet(groups=groups, row=row, form=form.view())
    try:
        prices = await _carry_out(request, form, group_id or _new_id(form, groups))
    except InvalidForm as error:
        return _answer(pages, request, structs.replace(sheet, form=form.view(error)), status=422)
    except InvalidRequest as error:
        told = said(f"{error.message} {error.fix}")
        return _answer(pages, request, structs.replace(sheet, form=form.view(told)), status=422)
    except Conflict:
        return _answer(pages, request, structs.replace(sheet, form=form.view(said(_STALE))), status=409)
    if prices is None:
        return see_other(f"{HOME}?done=saved")
    return _answer(pages, request, structs.replace(sheet, prices=prices, previewed=True))


async def _carry_out(request: Handler, form: Form, group_id: str) -> Iterable[GroupPrice] | None:
    """What the group would pay, or None when it does now."""
    runtime, slug, fields = runtime_of(request), storefront_of(request).slug, _fields(form)
    try:
        if form.raw("do") != "save":
            return await flow.prices_with(runtime.db, slug, group_id, fields)
        actor, mark = member_of(request).actor, form.raw("mark")
        await flow.save_group(runtime.db, runtime.vault, slug, group_id, fields, expected=mark, actor=actor)
    except InvalidManifest as error:
        raise _problem(error) from None
    return None


def _answer(pages: Pages, request: Handler, sheet: _Sheet, *, status: int = 200) -> Response[Any]:
    row = sheet.row
    found = list(_main(sheet.prices or ()))
    group_id = "" if row is None else str(row.terms["id"])
    view = views.GroupView(
        id=group_id,
        title="" if row is None else str(row.terms.get("title") or group_id),
        is_new=row is None,
        customers=0 if row is None else row.customers,
        markup=sheet.groups.markup,
        mark=sheet.groups.mark,
        may_edit=_may_edit(request),
        form=sheet.form,
        prices=tuple(_price_lines(found[:_SHOWN_PRICES])),
        more=max(0, len(found) - _SHOWN_PRICES),
        previewed=sheet.previewed,
    )
    return pages.answer(request, "console/group.html", view=view, status=status)


def _fields(form: Form) -> dict[str, Any]:
    """The terms that were typed; None where one is left out. Raises InvalidForm for what is no number."""
    markup = form.line("markup", _MAX_LINE, needed=False)
    return {
        "title": form.line("title", _MAX_LINE),
        "markup": f"{markup.removesuffix('%').strip()}%" if markup else None,
        "allow_loss": form.ticked("allow_loss") or None,
        "limits": {name: _whole(form, name) for name in _LIMITS},
    }


def _whole(form: Form, name: str) -> int | None:
    text = form.line(name, _MAX_LINE, needed=False).replace(",", "").replace(" ", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise said("Give a whole number.", name)
    return int(text)


def _new_id(form: Form, groups: Groups) -> str:
    """The id that was typed, or one from the title. Raises InvalidForm."""
    taken = {str(row.terms["id"]) for row in groups.rows}
    code = form.line("code", 63, needed=False)
    if not code:
        return new_code(form.line("title", _MAX_LINE, needed=False), taken, "group")
    if not NAME.fullmatch(code):
        raise said("Use letters, digits, hyphen and underscore.", "code")
    if code in taken:
        raise said("There is a group of this id already.", "code")
    return code


def _problem(error: InvalidManifest) -> InvalidForm:
    """What the configuration's checks found, at the fields that it was typed in."""
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    for path, text in problems_of(error.details).items():
        name = _PATH.sub(r"\1", path)
        found.setdefault("code" if name == "id" else name if name in _FIELDS else "", ("{text}", {"text": text}))
    return InvalidForm(found)


def _texts(terms: Mapping[str, Any]) -> dict[str, str]:
    """A group's terms as its form shows them."""
    limits = terms.get("limits") or {}
    texts = {"title": terms.get("title") or terms["id"], "markup": terms.get("markup") or ""}
    texts |= {name: str(limits[name]) for name in _LIMITS if limits.get(name) is not None}
    return {**texts, "allow_loss": "yes" if terms.get("allow_loss") else ""}


def _line(row: GroupRow) -> views.GroupLine:
    limits = row.terms.get("limits") or {}
    pairs = zip(_LIMITS, _LIMIT_TEXTS, strict=True)
    return views.GroupLine(
        id=row.terms["id"],
        title=row.terms.get("title") or row.terms["id"],
        markup=row.terms.get("markup") or "",
        allow_loss=bool(row.terms.get("allow_loss")),
        limits=tuple(text.format(f"{limits[name]:,}") for name, text in pairs if limits.get(name) is not None),
        customers=row.customers,
    )


def _main(found: Iterable[GroupPrice]) -> Iterable[GroupPrice]:
    """The classes by which a model is known: text in and out where it has these, else all."""
    for _, own in groupby(found, key=lambda one: one.model):
        prices = list(own)
        yield from [one for one in prices if one.usage_class in MAIN] or prices


def _price_lines(found: Iterable[GroupPrice]) -> Iterable[views.GroupPriceLine]:
    for one in found:
        margin = None if one.paid is None else one.retail - one.paid
        yield views.GroupPriceLine(
            model=one.model,
            label=label_of(one.usage_class, 0),
            unit=unit_of(one.usage_class),
            paid=price_text(one.usage_class, one.paid),
            usual=price_text(one.usage_class, one.usual),
            retail=price_text(one.usage_class, one.retail),
            percent=percent_of(margin, one.retail),
            tone="bad" if margin is not None and margin < 0 else "",
        )


def _may_edit(request: Handler) -> bool:
    return may(member_of(request).role, "prices", edit=True)


async def _groups(request: Handler) -> Groups:
    return await flow.groups_of(runtime_of(request).db, storefront_of(request).slug)
