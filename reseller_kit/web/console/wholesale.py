"""The page `/console/wholesale`: what the storefront has with its operator, top-ups, statements, payouts, alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.days import local
from ...core.errors import Conflict, InsufficientCredit, InvalidForm, InvalidManifest, InvalidRequest, KitError
from ...core.money import format_amount, parse_amount
from ...core.months import Month
from ...core.order import UNPAID
from ...core.paging import Window
from ...core.roles import may
from ...core.times import SECOND_US
from ...core.urls import public_url
from ...db import tenants
from ...db.engine import NO_TENANT, Database, now_us
from ...db.orders import Order
from ...db.payouts import Payout
from ...flows import payouts as payout_flow
from ...flows import statement_files, statements
from ...flows import wholesale as flow
from ...flows import wholesale_topup as topup_flow
from ...flows.identity.visit import new_token
from ...flows.orders.ask import ask_for
from ...flows.provision.edit import Edit, edit, problems_of
from ...flows.statements import ResellerStatement
from ...flows.wholesale_topup import TopUp
from ...theming.console_wholesale import ModelLine, MonthView, PayoutLine, TopUpLine, WholesaleView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of, storefront_of
from .guards import member_may

_PATH: Final = "/console/wholesale"
_SHOWN: Final = 20
_MONTHS: Final = 12
_MAX_AMOUNT: Final = 40
_MAX_THRESHOLDS: Final = 200
_DONE: Final = frozenset({"topup", "alerts", "payout"})
Action = Callable[[Pages, Handler, Form], Awaitable[None]]


def wholesale_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The page, its statement as CSV, and the request for a payout, which is the owners'."""

    @get(_PATH, guards=[member_may("wholesale")])
    async def look(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @get(f"{_PATH}/statement.csv", guards=[member_may("wholesale")])
    async def statement(request: Handler) -> Response[Any]:
        month = request.query_params.get("month", "")
        found = await statements.reseller_statement(runtime_of(request).db, storefront_of(request).slug, month)
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="statement-{found.month}.csv"',
        }
        return Response(statement_files.reseller_csv(found), media_type="text/csv", headers=headers)

    @post(_PATH, guards=[member_may("wholesale", edit=True)])
    async def act(request: Handler) -> Response[Any]:
        return await _act(pages, request, {"topup": _top_up, "alerts": _alerts})

    @post(f"{_PATH}/payouts", guards=[member_may("payouts", edit=True)])
    async def ask(request: Handler) -> Response[Any]:
        return await _act(pages, request, {"payout": _payout})

    return [look, statement, act, ask]


async def _act(pages: Pages, request: Handler, actions: Mapping[str, Action]) -> Response[Any]:
    form = await read_form(request)
    name = form.raw("action")
    action = actions.get(name)
    if action is None:
        return see_other(_PATH)
    try:
        await action(pages, request, form)
    except (InvalidRequest, Conflict, InsufficientCredit) as error:
        problem = error if isinstance(error, InvalidForm) else _problem("", error)
        return await _show(pages, request, action=name, form=form.view(problem), status=problem.status)
    return see_other(f"{_PATH}?done={name}")


async def _top_up(pages: Pages, request: Handler, form: Form) -> None:
    member, runtime, storefront = member_of(request), runtime_of(request), storefront_of(request)
    amount = _amount(form, "amount")
    key = form.raw("request_key")[:64]
    wanted = TopUp(
        amount=amount,
        actor=member.actor,
        email=member.email,
        request_key=f"console:{key}" if key.isascii() and key.isprintable() and key else None,
        origin=public_url(storefront.primary_host, runtime.snapshot.public_url, pages.port),
    )
    await topup_flow.top_up(runtime.db, runtime.vault, runtime.providers, storefront.slug, wanted)


async def _alerts(_: Pages, request: Handler, form: Form) -> None:
    runtime, slug = runtime_of(request), storefront_of(request).slug
    typed = form.line("thresholds", _MAX_THRESHOLDS, needed=False)
    try:
        marks = sorted({parse_amount(part.strip()) for part in typed.split(",") if part.strip()}, reverse=True)
    except InvalidRequest as error:
        raise _problem("thresholds", error) from error
    change = Edit("tenant", slug, {"wholesale.notify_below": [format_amount(mark) for mark in marks] or None})
    try:
        await edit(runtime.db, runtime.vault, tenant_slug=slug, edits=[change], actor=member_of(request).actor)
    except InvalidManifest as error:
        text = next(iter(problems_of(error.details).values()), error.message)
        raise InvalidForm({"thresholds": ("{text}", {"text": text})}) from error


async def _payout(_: Pages, request: Handler, form: Form) -> None:
    amount = _amount(form, "payout") if form.raw("payout").strip() else None
    slug, actor = storefront_of(request).slug, member_of(request).actor
    try:
        await payout_flow.request_payout(runtime_of(request).db, tenant_slug=slug, amount=amount, actor=actor)
    except (InvalidRequest, InsufficientCredit) as error:
        raise _problem("payout", error) from error


def _amount(form: Form, name: str) -> int:
    try:
        return parse_amount(form.line(name, _MAX_AMOUNT))
    except InvalidForm:
        raise
    except InvalidRequest as error:
        raise _problem(name, error) from error


async def _show(
    pages: Pages, request: Handler, *, action: str = "", form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member, db, slug = member_of(request), runtime_of(request).db, storefront_of(request).slug
    months = _months(member)
    asked = request.query_params.get("month", "")
    month = asked if asked in {name for name, _ in months} else months[0][0]
    topups = await _topups(request)
    account = await flow.wholesale_balance(db, slug)
    payouts = await payout_flow.list_payouts(db, slug, Window(_SHOWN, None))
    least, most = await topup_flow.topup_limits(db)
    done = request.query_params.get("done", "")
    view = WholesaleView(
        settlement=account.terms.settlement,
        balance=account.wallet.balance,
        reserved=account.wallet.reserved,
        available=account.available,
        overdraft=account.overdraft,
        least=least,
        most=most,
        matured=account.share.matured,
        payable=account.share.payable,
        requested=account.share.requested,
        months=months,
        month=_month(await statements.reseller_statement(db, slug, month)),
        topups=tuple(_topup(order, member) for order in topups),
        payouts=tuple(_payout_line(named.payout, member) for named in payouts.items),
        thresholds=", ".join(format_amount(mark) for mark in account.terms.notify_below),
        instructions=await _instructions(db),
        may_edit=may(member.role, "wholesale", edit=True),
        may_ask=may(member.role, "payouts", edit=True) and account.terms.settlement == "revenue_share",
        request_key=new_token(),
        action=action,
        form=form or FormView(),
        done=done if done in _DONE else "",
    )
    return pages.answer(request, "console/wholesale.html", view=view, status=status)


async def _topups(request: Handler) -> Sequence[Order]:
    """The latest ones; whoever comes back from paying the newest need not wait until the provider tells of it."""
    runtime, slug = runtime_of(request), storefront_of(request).slug
    found = (await topup_flow.list_topups(runtime.db, slug, Window(_SHOWN, None))).items
    if not found:
        return found
    newest = await ask_for(runtime.db, runtime.ledger, runtime.providers, found[0])
    return [newest, *found[1:]]


async def _instructions(db: Database) -> str:
    """How top-ups are paid that nobody is asked about."""
    async with db.read(NO_TENANT) as connection:
        settings = await tenants.platform_settings(connection)
    return str(settings.get("payments", {}).get("instructions") or "")


def _month(found: ResellerStatement) -> MonthView:
    models = sorted(found.models, key=lambda one: (-one.retail, one.model))
    return MonthView(
        name=str(found.month),
        first=dt.date(found.month.year, found.month.number, 1),
        opening=found.opening,
        closing=found.closing,
        retail=found.retail,
        wholesale=found.wholesale,
        margin=found.margin,
        models=tuple(
            ModelLine(model=one.model, calls=one.calls, retail=one.retail, wholesale=one.wholesale, margin=one.margin)
            for one in models
        ),
        moves=tuple(sorted(found.account.items())),
    )


def _months(member: Member) -> tuple[tuple[str, dt.date], ...]:
    """The last twelve, the one that runs first."""
    day, found = local(now_us(), member.zone).date().replace(day=1), []
    for _ in range(_MONTHS):
        found.append((str(Month(day.year, day.month)), day))
        day = (day - dt.timedelta(days=1)).replace(day=1)
    return tuple(found)


def _topup(order: Order, member: Member) -> TopUpLine:
    waits = order.state in UNPAID
    return TopUpLine(
        id=order.id,
        state=order.state,
        amount=order.price_nano,
        at=_moment(order.created_at, member),
        by=order.email,
        pay_url=str(order.provider_facts.get("url") or "") if waits else "",
        waits=waits,
    )


def _payout_line(payout: Payout, member: Member) -> PayoutLine:
    return PayoutLine(
        id=payout.id,
        state=payout.state,
        amount=payout.amount_nano,
        at=_moment(payout.requested_at, member),
        reference=payout.reference,
        reason=payout.reject_reason,
    )


def _problem(field: str, error: KitError) -> InvalidForm:
    return InvalidForm({field: ("{text}", {"text": error.message})})


def _moment(at: int, member: Member) -> dt.datetime:
    return local(at - at % SECOND_US, member.zone)
