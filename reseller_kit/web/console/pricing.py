"""The page `/console/pricing`: markup, rules, names and what is on offer, with the table of models below.

A form is shown again with what was typed; nothing is published but by the button that says so.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidManifest, InvalidRequest, NotFound
from ...core.money import format_markup
from ...core.paging import Window
from ...core.roles import may
from ...core.times import DAY_US
from ...db.engine import now_us
from ...flows import price_editor
from ...flows.price_editor import Sheet
from ...flows.price_history import change_of, draft_before
from ...flows.schedule import list_scheduled
from ...flows.simulate import Period, outlook
from ...theming import console_pricing as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from .guards import member_may
from .pricing_form import MAX_FIELDS, Typed, draft_in, edited, form_problem, said, typed_in, typed_of, without_blanks
from .pricing_rows import model_line, preview_of
from .sessions import member_of

HOME: Final = "/console/pricing"
TEMPLATE: Final = "console/pricing.html"
PREVIEW_DAYS: Final = 30
_PAGE: Final = 50
_SHOWN: Final = frozenset({"offered", "hidden"})
_DONE: Final = frozenset({"published", "hidden", "shown"})
_MAX_QUERY: Final = 100


class _Editor(Struct, frozen=True, kw_only=True):
    """The editor's fields with what belongs to them."""

    typed: Typed
    form: FormView = FormView()
    preview: views.Preview | None = None
    restored: int = 0
    mark: str = ""


def pricing_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The editor of prices."""

    @get(HOME, guards=[member_may("prices")])
    async def show(request: Handler) -> Response[Any]:
        wanted = request.query_params.get("restore", "")
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
            return await _restore(pages, request, int(wanted))
        sheet = await _sheet(request)
        return await _answer(pages, request, sheet, _Editor(typed=typed_of(sheet.draft)))

    @post(HOME, guards=[member_may("prices", edit=True)])
    async def change(request: Handler) -> Response[Any]:
        form = await read_form(request, MAX_FIELDS)
        action = form.raw("do")
        if action in {"hide", "show"}:
            return await _offer(pages, request, form, action)
        return await _change(pages, request, form, action)

    return [show, change]


async def _change(pages: Pages, request: Handler, form: Form, action: str) -> Response[Any]:
    """Any button of the editor."""
    typed = typed_in(form)
    moved = edited(typed, action)
    sheet = await _sheet(request)
    if moved is not None:
        return await _answer(pages, request, sheet, _Editor(typed=moved, mark=form.raw("mark")))
    typed = without_blanks(typed)
    try:
        if action == "publish":
            return await _publish(request, typed, form.raw("mark"))
        preview = await _previewed(request, typed)
    except InvalidForm as error:
        editor = _Editor(typed=typed, form=_problems(form, error), mark=form.raw("mark"))
        return await _answer(pages, request, sheet, editor, status=422)
    except Conflict:
        told = said("Somebody else changed the prices meanwhile. Preview against what holds now, then publish.")
        return await _answer(pages, request, sheet, _Editor(typed=typed, form=_problems(form, told)), status=409)
    return await _answer(pages, request, sheet, _Editor(typed=typed, preview=preview, mark=form.raw("mark")))


async def _publish(request: Handler, typed: Typed, mark: str) -> Response[Any]:
    draft, runtime = draft_in(typed), runtime_of(request)
    try:
        await price_editor.publish_draft(
            runtime.db,
            runtime.vault,
            storefront_of(request).slug,
            draft,
            expected=mark,
            actor=member_of(request).actor,
        )
    except InvalidManifest as error:
        raise form_problem(error, draft) from None
    except InvalidRequest as error:
        raise said(f"{error.message} {error.fix}", error.param or "") from None
    return see_other(f"{HOME}?done=published")


async def _previewed(request: Handler, typed: Typed) -> views.Preview:
    """What publishing would do, with what the calls of the last days would have earned."""
    db, slug, draft = runtime_of(request).db, storefront_of(request).slug, draft_in(typed)
    try:
        effect = await price_editor.effect_of(db, slug, draft)
    except InvalidManifest as error:
        raise form_problem(error, draft) from None
    except InvalidRequest as error:
        raise said(f"{error.message} {error.fix}", error.param or "") from None
    now = now_us()
    found = await outlook(db, slug, effect.now, effect.then, Period(now - PREVIEW_DAYS * DAY_US, now))
    return preview_of(effect, found, PREVIEW_DAYS)


async def _restore(pages: Pages, request: Handler, change_id: int) -> Response[Any]:
    """The editor with what held before a change, to be looked at and published."""
    db, slug = runtime_of(request).db, storefront_of(request).slug
    draft = await draft_before(db, slug, change_id)
    changed_at = await change_of(db, slug, change_id)
    typed, sheet = typed_of(draft), await _sheet(request)
    try:
        preview = await _previewed(request, typed)
    except InvalidForm as error:
        editor = _Editor(typed=typed, form=_problems(Form({}), error), restored=changed_at)
        return await _answer(pages, request, sheet, editor, status=422)
    return await _answer(pages, request, sheet, _Editor(typed=typed, preview=preview, restored=changed_at))


async def _offer(pages: Pages, request: Handler, form: Form, action: str) -> Response[Any]:
    """Hide a model or show it again, at once."""
    runtime, slug, actor = runtime_of(request), storefront_of(request).slug, member_of(request).actor
    model = form.raw("model")[: _MAX_QUERY * 2]
    change = price_editor.hide_model if action == "hide" else price_editor.show_model
    try:
        await change(runtime.db, runtime.vault, slug, model, actor=actor)
    except (Conflict, NotFound, InvalidManifest) as error:
        fix = "" if isinstance(error, InvalidManifest) else error.fix
        problem = form_problem(error, (await _sheet(request)).draft) if isinstance(error, InvalidManifest) else None
        sheet = await _sheet(request)
        told = problem or said(f"{model}: {error.message} {fix}".strip())
        editor = _Editor(typed=typed_of(sheet.draft), form=_problems(Form({}), told))
        return await _answer(pages, request, sheet, editor, status=409 if isinstance(error, Conflict) else 422)
    return see_other(f"{HOME}?{urlencode({'done': 'hidden' if action == 'hide' else 'shown', 'q': model})}#models")


async def _answer(pages: Pages, request: Handler, sheet: Sheet, editor: _Editor, *, status: int = 200) -> Response[Any]:
    asked, typed = request.query_params, editor.typed
    query = asked.get("q", "").strip()[:_MAX_QUERY]
    shown = asked.get("show", "") if asked.get("show", "") in _SHOWN else ""
    offset = asked.get("from", "0")
    first = int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 6 else 0
    found = [
        one
        for one in sheet.models
        if any(query.lower() in name.lower() for name in (one.model, *one.aliases))
        and (not shown or one.hidden == (shown == "hidden"))
    ]
    waiting = await list_scheduled(runtime_of(request).db, storefront_of(request).slug, Window(20, None))
    zone = member_of(request).zone
    view = views.PricingView(
        markup=typed.markup,
        notice_days=typed.notice_days,
        allow_loss=typed.allow_loss,
        rules=typed.rules,
        aliases=typed.aliases,
        allow=typed.allow,
        deny=typed.deny,
        mark=editor.mark or sheet.mark,
        models=tuple(model_line(one) for one in found[first : first + _PAGE]),
        names=tuple(one.model for one in sheet.models),
        may_edit=may(member_of(request).role, "prices", edit=True),
        form=editor.form,
        preview=editor.preview,
        query=query,
        shown=shown,
        first=first,
        found=len(found),
        newer_url=_here(query, shown, max(0, first - _PAGE)) if first else "",
        older_url=_here(query, shown, first + _PAGE) if len(found) > first + _PAGE else "",
        done=asked.get("done", "") if asked.get("done", "") in _DONE and request.method == "GET" else "",
        restored=local(editor.restored, zone) if editor.restored else None,
        waiting=sum(row.state == "waiting" for row in waiting.items),
        floor="" if sheet.floor is None else format_markup(sheet.floor),
    )
    return pages.answer(request, TEMPLATE, view=view, status=status)


def _here(query: str, shown: str, first: int) -> str:
    asked = {"q": query, "show": shown, "from": str(first) if first else ""}
    return f"{HOME}?{urlencode({name: value for name, value in asked.items() if value})}#models"


async def _sheet(request: Handler) -> Sheet:
    return await price_editor.price_sheet(runtime_of(request).db, storefront_of(request).slug)


def _problems(form: Form, error: InvalidForm) -> FormView:
    """What is wrong, without the values: the editor shows its own."""
    return FormView(problems=form.view(error).problems)
