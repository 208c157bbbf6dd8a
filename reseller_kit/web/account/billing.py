"""The page `/account/billing`, and `/account/billing/buy` where an order is confirmed: credit, offers, vouchers."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, InvalidRequest, NotFound, RateLimited
from ...core.money import format_amount, parse_amount
from ...core.paging import window
from ...db.packages import Offer
from ...flows.billing import billing_page, offer_of, offers_of, redeem_own
from ...flows.credit_alerts import choose_thresholds
from ...flows.orders import priced
from ...theming import billing as views
from ...theming.forms import FormView
from ..compression import own_words
from ..forms import Form, read_form
from ..guards import known, see_other, verified
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from ..sessions import required_session, visit_of_request
from ..throttled import too_many
from .billing_rows import lot_row, move_row, offer_row, order_row, subscription_row
from .checkout import is_manual, place, show_checkout
from .portal import timezone_of
from .showing import identity_of

HOME: Final = "/account/billing"
BUY: Final = f"{HOME}/buy"
_ORDERS: Final = 10
_MOVES: Final = 20
_MAX_CODE: Final = 64
_MAX_AMOUNT: Final = 40
_MAX_ALERTS: Final = 100


def billing_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Credit with its history, what can be bought, and the page that confirms it."""

    @get(HOME, guards=[known], viewable=True)
    async def show(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(HOME, guards=[verified])
    async def choose(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if "alerts" in form.fields:
            return await _choose_alerts(pages, request, form)
        return await (_redeem if "voucher" in form.fields else _choose)(pages, request, form)

    @get(BUY, guards=[verified])
    async def confirm(request: Handler) -> Response[Any]:
        asked = {name: (value,) for name, value in request.query_params.items()}
        return await _choose(pages, request, Form(asked), confirmed=True)

    @post(BUY, guards=[verified])
    async def order(request: Handler) -> Response[Any]:
        form = await read_form(request)
        try:
            offer, amount = await _wanted(request, form)
        except InvalidForm as error:
            return await _show(pages, request, form.view(error), status=422)
        return await place(pages, request, form, offer, amount)

    return [show, choose, confirm, order]


async def _show(
    pages: Pages, request: Handler, form: FormView | None = None, *, status: int = 200, headers: Any = None
) -> Response[Any]:
    session, db = required_session(request), runtime_of(request).db
    timezone, tenant_id, asked = timezone_of(request, session), session.tenant_id, request.query_params
    orders, moves = (window(most, asked.get(name) or None) for name, most in (("orders", _ORDERS), ("moves", _MOVES)))
    shown = await billing_page(db, tenant_id, session.customer_id, orders, moves)
    found = shown.billing
    redeemed = next((lot.amount for lot in found.lots if lot.id == asked.get("redeemed")), None)
    view = views.BillingView(
        available=found.available,
        balance=found.wallet.balance,
        reserved=found.wallet.reserved,
        debt=found.wallet.debt,
        lots=tuple(lot_row(lot, timezone) for lot in found.lots),
        offers=tuple(offer_row(offer) for offer in found.offers),
        orders=tuple(order_row(order, timezone) for order in shown.orders.items),
        moves=tuple(move_row(line, timezone) for line in shown.moves.items),
        older_orders=_older("orders", shown.orders.next_cursor),
        older_moves=_older("moves", shown.moves.next_cursor),
        redeemed=redeemed,
        subscriptions=tuple(subscription_row(own, timezone) for own in shown.subscriptions),
        alerts=_shown_alerts(shown.alerts),
        alerts_saved=asked.get("alerts") == "saved",
        may_buy=session.verified and session.status == "active",
        manual=is_manual(request),
        form=form or FormView(),
    )
    if form is None:
        own_words(request)
    return pages.answer(request, "account/billing.html", view=view, status=status, headers=headers, noindex=True)


async def _redeem(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session, runtime = required_session(request), runtime_of(request)
    try:
        code = form.line("voucher", _MAX_CODE)
        posted = await redeem_own(
            identity_of(request), runtime.ledger, visit_of_request(request), session.customer_id, code
        )
    except InvalidForm as error:
        return await _show(pages, request, form.view(error), status=422)
    except RateLimited as limited:
        problem, status, headers = too_many(limited)
        return await _show(pages, request, form.view(problem), status=status, headers=headers)
    return see_other(f"{HOME}?redeemed={posted.id}")


async def _choose_alerts(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    """Amounts between commas; nothing for the default, 0 for never."""
    session = required_session(request)
    try:
        words = [
            word for word in form.line("alerts", _MAX_ALERTS, needed=False).replace(";", ",").split(",") if word.strip()
        ]
        amounts = [parse_amount(word.strip().removeprefix("$").strip()) for word in words]
        wanted = None if not words else [] if amounts == [0] else amounts
        await choose_thresholds(runtime_of(request).db, session.tenant_id, session.customer_id, wanted)
    except InvalidForm as error:
        return await _show(pages, request, form.view(error), status=422)
    except InvalidRequest:
        problem = form.view(InvalidForm({"alerts": ("billing.alerts_wrong", {})}))
        return await _show(pages, request, problem, status=422)
    return see_other(f"{HOME}?alerts=saved")


async def _choose(pages: Pages, request: Handler, form: Form, *, confirmed: bool = False) -> Response[Any]:
    """From the choice to the page that confirms it; what can't be bought is said where it was chosen."""
    try:
        offer, amount = await _wanted(request, form)
    except InvalidForm as error:
        return await _show(pages, request, form.view(error), status=422)
    if not confirmed:
        stated = "" if amount is None else f"&amount={format_amount(amount)}"
        return see_other(f"{BUY}?package={offer.code}{stated}")
    return await show_checkout(pages, request, offer, amount, country=form.raw("country") or "")


async def _wanted(request: Handler, form: Form) -> tuple[Offer, int | None]:
    """The offer that a form names, or the first top-up for a mere amount. Raises InvalidForm, naming the field."""
    session, db = required_session(request), runtime_of(request).db
    code = form.line("package", 80, needed=False)
    if not code:
        offers = await offers_of(db, session.tenant_id)
        code = next((offer.code for offer in offers if offer.terms.get("kind") == "topup"), "")
    try:
        offer = await offer_of(db, session.tenant_id, code)
    except NotFound:
        raise InvalidForm({"": ("billing.not_on_offer", {})}) from None
    if offer.terms.get("kind") != "topup":
        return offer, None
    try:
        amount = parse_amount(form.line("amount", _MAX_AMOUNT).removeprefix("$").strip())
        priced(offer, amount)
    except InvalidForm:
        raise
    except InvalidRequest:
        limits = {"min": offer.terms["min"], "max": offer.terms["max"]}
        raise InvalidForm({"amount": ("billing.wrong_amount", limits)}) from None
    return offer, amount


def _older(name: str, cursor: str | None) -> str:
    return f"{HOME}?{name}={cursor}#{name}" if cursor else ""


def _shown_alerts(chosen: tuple[int, ...] | None) -> tuple[str, ...]:
    """What was chosen, as it is typed."""
    if chosen is None:
        return ()
    return tuple(format_amount(one) for one in chosen) or ("0",)
