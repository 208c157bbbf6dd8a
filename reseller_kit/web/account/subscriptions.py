"""The pages `/account/billing/subscriptions/{id}`: what renews, its plans, and the ways to end or change it."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound, ServiceUnavailable
from ...core.money import parse_amount
from ...db.packages import Offer
from ...db.subscriptions import Subscription
from ...flows.billing import offers_of
from ...flows.orders import terms_hash
from ...flows.orders.checkout import names_at
from ...flows.subscriptions import (
    Choice,
    OwnSubscription,
    cancel_subscription,
    change_subscription,
    own_subscription,
    resume_subscription,
)
from ...payments import Manual
from ...theming import billing as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import known, see_other, signed_in
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from ..sessions import required_session
from .billing_rows import offer_row, subscription_row
from .portal import timezone_of

_PAGE: Final = "/account/billing/subscriptions/{subscription_id:str}"


def subscription_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """A subscription of the customer's own; anybody else's is not there."""

    @get(_PAGE, guards=[known], viewable=True)
    async def show(request: Handler, subscription_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, subscription_id)

    @post(_PAGE, guards=[signed_in])
    async def choose(request: Handler, subscription_id: FromPath[str]) -> Response[Any]:
        form = await read_form(request)
        try:
            await _carry_out(request, subscription_id, form)
        except NotFound:
            if form.raw("action") != "change":
                raise
            problem = form.view(InvalidForm({"": ("billing.not_on_offer", {})}))
            return await _show(pages, request, subscription_id, problem, status=422)
        except (Conflict, InvalidRequest, ServiceUnavailable) as error:
            away = isinstance(error, ServiceUnavailable)
            key = "billing.subscription_away" if away else "billing.subscription_changed"
            problem = form.view(InvalidForm({"": (key, {})}))
            return await _show(pages, request, subscription_id, problem, status=503 if away else 409)
        return see_other(f"/account/billing/subscriptions/{subscription_id}")

    return [show, choose]


async def _carry_out(request: Handler, subscription_id: str, form: Form) -> None:
    """What the form asks for; a form that asks for nothing changes nothing."""
    session, runtime = required_session(request), runtime_of(request)
    db = runtime.db
    choice = Choice(
        tenant_id=session.tenant_id,
        subscription_id=subscription_id,
        customer_id=session.customer_id,
        actor=f"customer:{session.customer_id}",
    )
    own = await own_subscription(db, session.tenant_id, session.customer_id, subscription_id)
    through = await runtime.providers.named(session.tenant_id, own.subscription.provider)
    provider = through.provider
    match form.raw("action"):
        case "cancel":
            await cancel_subscription(db, provider, choice)
        case "resume":
            await resume_subscription(db, provider, choice)
        case "change":
            names = names_at(db, runtime.vault, through, session.tenant_id)
            package, accepted = form.raw("package"), form.raw("terms_hash") or None
            await change_subscription(db, provider, choice, package=package, accepted=accepted, names=names)
        case _:
            pass


async def _show(
    pages: Pages, request: Handler, subscription_id: str, form: FormView | None = None, *, status: int = 200
) -> Response[Any]:
    session, db = required_session(request), runtime_of(request).db
    own = await own_subscription(db, session.tenant_id, session.customer_id, subscription_id)
    found = own.subscription
    manual = found.provider == Manual.name
    offers = await offers_of(db, session.tenant_id)
    view = views.SubscriptionView(
        subscription=subscription_row(own, timezone_of(request, session)),
        offer=offer_row(Offer(found.package_id, found.package, found.version, found.terms)),
        plans=tuple(_plan(found, offer, manual=manual) for offer in offers if _fits(own, offer)),
        waiting=own.waiting,
        manual=manual,
        form=form or FormView(),
    )
    return pages.answer(request, "account/subscription.html", view=view, status=status, noindex=True)


def _fits(own: OwnSubscription, offer: Offer) -> bool:
    """Whether the subscription can go on as this: of the same rhythm, and not what it will be anyway."""
    found = own.subscription
    same_rhythm = offer.terms.get("kind") == "subscription" and offer.terms.get("period") == found.period
    return same_rhythm and offer.id != (found.next_package_id or found.package_id)


def _plan(found: Subscription, offer: Offer, *, manual: bool) -> views.PlanRow:
    dearer = parse_amount(offer.terms["price"]) > parse_amount(found.terms["price"])
    return views.PlanRow(offer=offer_row(offer), terms=terms_hash(offer), at_once=dearer and not manual)
