"""The page `/account/billing`, and `/account/billing/buy` where an order is confirmed: credit, offers, vouchers."""

from __future__ import annotations

import secrets
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound, RateLimited
from ...core.money import format_amount, parse_amount
from ...core.paging import window
from ...db.packages import Offer
from ...flows.billing import billing, offer_of, own_history, redeem_own
from ...flows.orders import Wanted, own_orders, place_order, priced, provider_of, terms_hash
from ...theming import billing as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import known, see_other, verified
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..sessions import required_session, visit_of_request
from .billing_rows import lot_row, move_row, offer_row, order_row
from .portal import timezone_of
from .showing import identity_of, too_many

HOME: Final = "/account/billing"
BUY: Final = f"{HOME}/buy"
_ORDERS: Final = 10
_MOVES: Final = 20
_MAX_CODE: Final = 64
_MAX_AMOUNT: Final = 40


def billing_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Credit with its history, what can be bought, and the page that confirms it."""

    @get(HOME, guards=[known])
    async def show(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(HOME, guards=[verified])
    async def choose(request: Handler) -> Response[Any]:
        form = await read_form(request)
        return await (_redeem if "voucher" in form.fields else _choose)(pages, request, form)

    @get(BUY, guards=[verified])
    async def confirm(request: Handler) -> Response[Any]:
        asked = {name: (value,) for name, value in request.query_params.items()}
        return await _choose(pages, request, Form(asked), confirmed=True)

    @post(BUY, guards=[verified])
    async def buy(request: Handler) -> Response[Any]:
        return await _buy(pages, request, await read_form(request))

    return [show, choose, confirm, buy]


async def _show(
    pages: Pages, request: Handler, form: FormView | None = None, *, status: int = 200, headers: Any = None
) -> Response[Any]:
    session, db = required_session(request), runtime_of(request).db
    timezone, tenant_id, asked = timezone_of(request, session), session.tenant_id, request.query_params
    found = await billing(db, tenant_id, session.customer_id)
    orders = await own_orders(db, tenant_id, session.customer_id, window(_ORDERS, asked.get("orders") or None))
    moves = await own_history(db, tenant_id, session.customer_id, window(_MOVES, asked.get("moves") or None))
    redeemed = next((lot.amount for lot in found.lots if lot.id == asked.get("redeemed")), None)
    view = views.BillingView(
        available=found.available,
        balance=found.wallet.balance,
        reserved=found.wallet.reserved,
        debt=found.wallet.debt,
        lots=tuple(lot_row(lot, timezone) for lot in found.lots),
        offers=tuple(offer_row(offer) for offer in found.offers),
        orders=tuple(order_row(order, timezone) for order in orders.items),
        moves=tuple(move_row(line, timezone) for line in moves.items),
        older_orders=f"{HOME}?orders={orders.next_cursor}#orders" if orders.next_cursor else "",
        older_moves=f"{HOME}?moves={moves.next_cursor}#moves" if moves.next_cursor else "",
        redeemed=redeemed,
        may_buy=session.verified and session.status == "active",
        manual=_manual(request),
        form=form or FormView(),
    )
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


async def _choose(pages: Pages, request: Handler, form: Form, *, confirmed: bool = False) -> Response[Any]:
    """From the choice to the page that confirms it; what can't be bought is said where it was chosen."""
    try:
        offer, amount = await _wanted(request, form)
    except InvalidForm as error:
        return await _show(pages, request, form.view(error), status=422)
    if not confirmed:
        stated = "" if amount is None else f"&amount={format_amount(amount)}"
        return see_other(f"{BUY}?package={offer.code}{stated}")
    return _show_checkout(pages, request, offer, amount)


async def _buy(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session, storefront = required_session(request), storefront_of(request)
    try:
        offer, amount = await _wanted(request, form)
    except InvalidForm as error:
        return await _show(pages, request, form.view(error), status=422)
    if not form.ticked("accept"):
        problem = form.view(InvalidForm({"accept": ("billing.accept_needed", {})}))
        return _show_checkout(pages, request, offer, amount, problem)
    wanted = Wanted(
        package=offer.code, amount=amount, terms_hash=form.raw("terms_hash"), request_key=form.raw("request_key")
    )
    try:
        placed = await place_order(
            runtime_of(request).db,
            provider_of(dict(storefront.settings)),
            tenant_id=session.tenant_id,
            customer_id=session.customer_id,
            wanted=wanted,
            actor=f"customer:{session.customer_id}",
        )
    except (Conflict, InvalidRequest) as error:
        key = "billing.changed" if isinstance(error, Conflict) else "billing.cannot_order"
        return _show_checkout(pages, request, offer, amount, form.view(InvalidForm({"": (key, {})})))
    return see_other(f"{HOME}/orders/{placed.order.id}")


async def _wanted(request: Handler, form: Form) -> tuple[Offer, int | None]:
    """The offer that a form names, or the first top-up for a mere amount. Raises InvalidForm, naming the field."""
    session, db = required_session(request), runtime_of(request).db
    code = form.line("package", 80, needed=False)
    if not code:
        offers = (await billing(db, session.tenant_id, session.customer_id)).offers
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


def _show_checkout(
    pages: Pages, request: Handler, offer: Offer, amount: int | None, form: FormView | None = None
) -> Response[Any]:
    price, credited = priced(offer, amount)
    view = views.CheckoutView(
        offer=offer_row(offer),
        price=price,
        credits=credited,
        amount="" if amount is None else format_amount(amount),
        terms=terms_hash(offer),
        request_key=secrets.token_urlsafe(16),
        manual=_manual(request),
        form=form or FormView(),
    )
    status = 422 if view.form.problems else 200
    return pages.answer(request, "account/checkout.html", view=view, status=status, noindex=True)


def _manual(request: Handler) -> bool:
    """Whether customers pay outside, to whoever confirms it."""
    return bool(storefront_of(request).settings.get("payments", {}).get("provider", "manual") == "manual")
