"""The pages below `/console/packages`: what is sold, and each package with its card as customers see it."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ...core.errors import Conflict, InvalidForm, InvalidManifest, NotFound
from ...core.manifest.texts import NAME
from ...core.roles import may
from ...flows import package_editor
from ...flows.package_editor import PackageRow, Shelf
from ...theming import console_packages as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..pages.views import package_row
from .guards import member_may
from .package_form import KINDS, fields_in, form_problem, texts_of
from .pricing_form import said
from .sessions import member_of

HOME: Final = "/console/packages"
NEW: Final = f"{HOME}/new"
EDIT: Final = f"{HOME}/edit"
_STALE: Final = "Somebody else changed the packages meanwhile. Look at them and send this again."
_DONE: Final = frozenset({"saved", "withdrawn", "moved"})


class _Sheet(Struct, frozen=True, kw_only=True):
    """A package's form with what belongs to it. `row` None: it is new."""

    kind: str
    code: str
    shelf: Shelf
    row: PackageRow | None
    form: FormView
    card: dict[str, Any] | None = None


def package_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list of packages, and the form of each."""

    @get(HOME, guards=[member_may("packages")])
    async def show(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(HOME, guards=[member_may("packages", edit=True)])
    async def change(request: Handler) -> Response[Any]:
        return await _change(pages, request, await read_form(request))

    @get(NEW, guards=[member_may("packages", edit=True)])
    async def begin(request: Handler) -> Response[Any]:
        kind = request.query_params.get("kind", "package")
        shelf = await _shelf(request)
        sheet = _Sheet(kind=kind if kind in KINDS else "package", code="", shelf=shelf, row=None, form=FormView())
        return _answer(pages, request, sheet)

    @post(NEW, guards=[member_may("packages", edit=True)])
    async def make(request: Handler) -> Response[Any]:
        return await _save(pages, request, await read_form(request), None)

    @get(EDIT + "/{code:str}", guards=[member_may("packages")])
    async def show_one(request: Handler, code: FromPath[str]) -> Response[Any]:
        shelf = await _shelf(request)
        row = _row(shelf, code)
        terms = row.offer.terms
        kind, form = terms.get("kind", "package"), FormView(values=texts_of(terms))
        return _answer(pages, request, _Sheet(kind=kind, code=code, shelf=shelf, row=row, form=form, card=terms))

    @post(EDIT + "/{code:str}", guards=[member_may("packages", edit=True)])
    async def change_one(request: Handler, code: FromPath[str]) -> Response[Any]:
        return await _save(pages, request, await read_form(request), code)

    return [show, change, begin, make, show_one, change_one]


async def _show(
    pages: Pages, request: Handler, *, problem: InvalidForm | None = None, status: int = 200
) -> Response[Any]:
    shelf, done = await _shelf(request), request.query_params.get("done", "")
    view = views.ShelfView(
        offered=tuple(_shown(row) for row in shelf.offered),
        past=tuple(_shown(row) for row in shelf.past),
        mark=shelf.mark,
        may_edit=may(member_of(request).role, "packages", edit=True),
        form=FormView() if problem is None else Form({}).view(problem),
        done=done if done in _DONE and request.method == "GET" else "",
    )
    return pages.answer(request, "console/packages.html", view=view, status=status)


async def _change(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    """Withdraw a package, or move it."""
    runtime, slug, actor = runtime_of(request), storefront_of(request).slug, member_of(request).actor
    action, code, mark = form.raw("do"), form.raw("code")[:80], form.raw("mark")
    try:
        if action == "withdraw":
            await package_editor.withdraw_package(runtime.db, runtime.vault, slug, code, expected=mark, actor=actor)
        elif action in {"up", "down"}:
            step = -1 if action == "up" else 1
            await package_editor.move_package(runtime.db, runtime.vault, slug, code, step, expected=mark, actor=actor)
        else:
            return await _show(pages, request, problem=said("That could not be read."), status=422)
    except NotFound:
        return await _show(pages, request, problem=said("This package is not on offer any more."), status=404)
    except Conflict:
        return await _show(pages, request, problem=said(_STALE), status=409)
    return see_other(f"{HOME}?done={'withdrawn' if action == 'withdraw' else 'moved'}")


async def _save(pages: Pages, request: Handler, form: Form, code: str | None) -> Response[Any]:
    """Any button of a package's form: look at its card, or offer it."""
    shelf, kind = await _shelf(request), form.raw("kind")
    row = None if code is None else _row(shelf, code)
    sheet = _Sheet(kind=kind if kind in KINDS else "package", code=code or "", shelf=shelf, row=row, form=form.view())
    try:
        chosen = code or _new_code(form, shelf)
        card = await _carry_out(request, form, sheet.kind, chosen)
    except InvalidForm as error:
        return _answer(pages, request, _with(sheet, form=form.view(error)), status=422)
    except Conflict:
        return _answer(pages, request, _with(sheet, form=form.view(said(_STALE))), status=409)
    if card is None:
        return see_other(f"{HOME}?done=saved")
    return _answer(pages, request, _with(sheet, card=card))


async def _carry_out(request: Handler, form: Form, kind: str, code: str) -> dict[str, Any] | None:
    """The card of what was typed, or None when it is on offer now."""
    runtime, slug, fields = runtime_of(request), storefront_of(request).slug, fields_in(form, kind)
    try:
        if form.raw("do") != "save":
            return await package_editor.preview_package(runtime.db, slug, code, fields)
        await package_editor.save_package(
            runtime.db,
            runtime.vault,
            slug,
            code,
            fields,
            expected=form.raw("mark"),
            actor=member_of(request).actor,
        )
    except InvalidManifest as error:
        raise form_problem(error, code) from None
    return None


def _answer(pages: Pages, request: Handler, sheet: _Sheet, *, status: int = 200) -> Response[Any]:
    row = sheet.row
    view = views.PackageView(
        kind=sheet.kind,
        code=sheet.code,
        is_new=row is None,
        mark=sheet.shelf.mark,
        may_edit=may(member_of(request).role, "packages", edit=True),
        form=sheet.form,
        card=None if sheet.card is None else package_row(sheet.card),
        past=row is not None and row.past,
        version=0 if row is None else row.offer.version,
        sold=0 if row is None else row.sold,
        waiting=0 if row is None else row.waiting,
    )
    return pages.answer(request, "console/package.html", view=view, status=status)


def _with(sheet: _Sheet, *, form: FormView | None = None, card: dict[str, Any] | None = None) -> _Sheet:
    return _Sheet(
        kind=sheet.kind, code=sheet.code, shelf=sheet.shelf, row=sheet.row, form=form or sheet.form, card=card
    )


def _new_code(form: Form, shelf: Shelf) -> str:
    """The id that was typed, or one from the title. Raises InvalidForm."""
    taken = {row.offer.code for row in (*shelf.offered, *shelf.past)}
    code = form.line("code", 63, needed=False)
    if not code:
        return package_editor.new_code(form.line("title", 200, needed=False), taken)
    if not NAME.fullmatch(code):
        raise said("Use letters, digits, hyphen and underscore.", "code")
    if code in taken:
        raise said("There is a package of this id already.", "code")
    return code


def _shown(row: PackageRow) -> views.ShelfRow:
    return views.ShelfRow(
        card=package_row(row.offer.terms), version=row.offer.version, sold=row.sold, waiting=row.waiting
    )


def _row(shelf: Shelf, code: str) -> PackageRow:
    for row in (*shelf.offered, *shelf.past):
        if row.offer.code == code:
            return row
    raise NotFound("There is no such package.")


async def _shelf(request: Handler) -> Shelf:
    return await package_editor.shelf(runtime_of(request).db, storefront_of(request).slug)
