"""The pages `/console/vouchers`: batches of codes that become credit, made, shown once, looked at and revoked."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError
from ...core.ids import is_public_id, new_id
from ...core.money import parse_amount
from ...core.paging import Window
from ...core.roles import may
from ...core.times import SECOND_US
from ...db.engine import now_us
from ...db.vouchers import BatchRow
from ...flows import vouchers as flow
from ...flows.voucher_files import voucher_csv
from ...flows.vouchers import NewVoucher, VoucherTerms
from ...theming.console_news import BatchLine, BatchView, CodesView, VoucherLine, VouchersView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of, storefront_of
from .dates import day_of_field
from .guards import member_may

_PATH: Final = "/console/vouchers"
_BATCH: Final = f"{_PATH}/batch"
_PAGE: Final = 50
_MAX_NAME: Final = 80
_MAX_MODELS: Final = 2_000
_MOST: Final = 1_000
"""Codes in a batch that is shown on one page; the command line makes larger ones."""
_DONE: Final = frozenset({"revoke", "revoke_all"})


def voucher_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The batches with the form of a new one, and a page and a file for each batch."""

    @get(_PATH, guards=[member_may("credit")])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(_PATH, guards=[member_may("credit", edit=True)])
    async def create(request: Handler) -> Response[Any]:
        form, runtime, member = await read_form(request), runtime_of(request), member_of(request)
        try:
            made = await flow.create_vouchers(
                runtime.db,
                runtime.vault,
                tenant_slug=storefront_of(request).slug,
                terms=_terms(request, form),
                count=_whole(form, "count", _MOST) or 1,
                batch=_name(form),
                actor=member.actor,
            )
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error)
            return await _list(pages, request, form=form.view(problem), status=problem.status)
        batch = await flow.find_batch(runtime.db, member.tenant_id, made[0].row.batch)
        return _codes(pages, request, batch, made)

    @get(_BATCH, guards=[member_may("credit")])
    async def one(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(_BATCH, guards=[member_may("credit", edit=True)])
    async def revoke(request: Handler) -> Response[Any]:
        form, db, member = await read_form(request), runtime_of(request).db, member_of(request)
        batch = await flow.find_batch(db, member.tenant_id, form.raw("batch"))
        action, voucher_id = form.raw("action"), form.raw("voucher")
        if action == "revoke_all":
            await flow.revoke_batch(db, member.tenant_id, batch.batch, member.actor)
        elif action == "revoke" and is_public_id(voucher_id, "vch"):
            await flow.revoke_voucher(db, voucher_id, storefront_of(request).slug, member.actor)
        shown = {"name": batch.batch, "done": action if action in _DONE else ""}
        return see_other(f"{_BATCH}?{urlencode(shown)}")

    @get(f"{_BATCH}.csv", guards=[member_may("credit")])
    async def export(request: Handler) -> Response[Any]:
        db, slug, name = runtime_of(request).db, storefront_of(request).slug, request.query_params.get("name", "")
        batch = await flow.find_batch(db, member_of(request).tenant_id, name)
        states = await flow.export_vouchers(db, slug, batch.batch)
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", batch.batch).strip("-") or "batch"
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="vouchers-{plain}.csv"',
        }
        return Response(voucher_csv(states, now_us()), media_type="text/csv", headers=headers)

    return [look, create, one, revoke, export]


def _terms(request: Handler, form: Form) -> VoucherTerms:
    """What was typed. Raises InvalidForm."""
    try:
        amount = parse_amount(form.line("amount", 40))
    except InvalidForm:
        raise
    except InvalidRequest as error:
        raise _said("amount", error.message) from error
    expires = form.line("expires", 10, needed=False)
    until = day_of_field(expires, member_of(request).zone, after=True)
    if expires and until is None:
        raise _said("expires", "Write days like 2026-01-31.")
    if until is not None and until <= now_us():
        raise _said("expires", "Give a day that is not over.")
    models = form.line("models", _MAX_MODELS, needed=False)
    return VoucherTerms(
        amount=amount,
        valid_days=_whole(form, "valid_days", flow.MAX_VALID_DAYS),
        expires_at=until,
        models=tuple(part for part in re.split(r"[,;\s]+", models) if part),
        max_redemptions=_whole(form, "max_redemptions", flow.MAX_REDEMPTIONS) or 1,
    )


def _whole(form: Form, name: str, most: int) -> int | None:
    typed = form.line(name, 12, needed=False)
    if not typed:
        return None
    number = int(typed) if typed.isascii() and typed.isdigit() else 0
    if not 1 <= number <= most:
        raise _said(name, f"Give a whole number from 1 to {most:,}.")
    return number


def _name(form: Form) -> str | None:
    """As typed, or what the page had ready: a form that is sent twice makes one batch."""
    ready = form.raw("ready")
    return form.line("batch", _MAX_NAME, needed=False) or (ready if is_public_id(ready, "vbt") else None)


async def _list(pages: Pages, request: Handler, *, form: FormView | None = None, status: int = 200) -> Response[Any]:
    member = member_of(request)
    window = Window(_PAGE, request.query_params.get("cursor") or None)
    found = await flow.list_batches(runtime_of(request).db, member.tenant_id, window)
    view = VouchersView(
        lines=tuple(_batch(row, member) for row in found.items),
        older_url=f"{_PATH}?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else "",
        newest=window.cursor is None,
        may_edit=may(member.role, "credit", edit=True),
        most=_MOST,
        name=new_id("vbt"),
        form=form or FormView(),
    )
    return pages.answer(request, "console/vouchers.html", view=view, status=status)


def _codes(pages: Pages, request: Handler, batch: BatchRow, made: list[NewVoucher]) -> Response[Any]:
    view = CodesView(batch=_batch(batch, member_of(request)), codes=tuple(new.code for new in made))
    return pages.answer(request, "console/voucher_codes.html", view=view)


async def _show(pages: Pages, request: Handler) -> Response[Any]:
    member, asked, db = member_of(request), request.query_params, runtime_of(request).db
    batch = await flow.find_batch(db, member.tenant_id, asked.get("name", ""))
    window = Window(_PAGE, asked.get("cursor") or None)
    found = await flow.list_vouchers(db, storefront_of(request).slug, batch.batch, window)
    now, done = now_us(), asked.get("done", "")
    older = urlencode({"name": batch.batch, "cursor": found.next_cursor or ""})
    view = BatchView(
        batch=_batch(batch, member),
        lines=tuple(
            VoucherLine(
                id=row.id,
                prefix=row.prefix,
                status=flow.status_of(row, now),
                redeemed=row.redeemed,
                max_redemptions=row.max_redemptions,
            )
            for row in found.items
        ),
        models=found.items[0].models if found.items else (),
        older_url=f"{_BATCH}?{older}" if found.next_cursor else "",
        newest=window.cursor is None,
        may_edit=may(member.role, "credit", edit=True),
        done=done if done in _DONE else "",
    )
    return pages.answer(request, "console/voucher_batch.html", view=view)


def _batch(row: BatchRow, member: Member) -> BatchLine:
    return BatchLine(
        name=row.batch,
        query=urlencode({"name": row.batch}),
        count=row.count,
        open=row.open,
        redeemed=row.redeemed,
        amount=row.amount_nano,
        made=local(row.created_at - row.created_at % SECOND_US, member.zone),
        # The end is the start of the day after the last one.
        expires=None if row.expires_at is None else local(row.expires_at - SECOND_US, member.zone),
        valid_days=row.valid_days,
        max_redemptions=row.max_redemptions,
    )


def _problem(error: KitError) -> InvalidForm:
    if isinstance(error, InvalidForm):
        return error
    field = "batch" if isinstance(error, Conflict) else getattr(error, "param", None) or ""
    return _said(field, error.message)


def _said(field: str, text: str) -> InvalidForm:
    return InvalidForm({field: ("{text}", {"text": text})})
