"""The page that confirms an order: what is bought, what it costs in the buyer's country, and the order itself."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

from litestar import Response

from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError, ServiceUnavailable
from ...core.money import format_amount
from ...db.packages import Offer
from ...flows.orders import Wanted, buy, preview, priced, terms_hash
from ...payments import Preview, Previews
from ...theming import billing as views
from ...theming.forms import FormView
from ...theming.locale import countries
from ..forms import Form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import language_of, origin_of, runtime_of
from ..sessions import required_session
from .billing_rows import offer_row
from .paying import ORDERS, form_targets, paid_through, payment_url

_RATE: Final = re.compile(r"[0-9](\.[0-9]{1,8})?", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


async def place(pages: Pages, request: Handler, form: Form, offer: Offer, amount: int | None) -> Response[Any]:
    """Place the order and lead to where it is paid; what stands in the way is said on the page again."""
    session, runtime = required_session(request), runtime_of(request)
    if not form.ticked("accept"):
        problem = form.view(InvalidForm({"accept": ("billing.accept_needed", {})}))
        return await show_checkout(pages, request, offer, amount, problem)
    wanted = Wanted(
        package=offer.code, amount=amount, terms_hash=form.raw("terms_hash"), request_key=form.raw("request_key")
    )
    try:
        placed = await buy(
            runtime.db,
            runtime.vault,
            runtime.providers,
            tenant_id=session.tenant_id,
            customer_id=session.customer_id,
            wanted=wanted,
            actor=f"customer:{session.customer_id}",
            origin=origin_of(request, pages.port),
        )
    except (Conflict, InvalidRequest, ServiceUnavailable) as error:
        key = {409: "billing.changed", 503: "billing.provider_away"}.get(error.status, "billing.cannot_order")
        problem = form.view(InvalidForm({"": (key, {})}))
        # The order stands already: sent again, the form goes on with that one.
        again = form.raw("request_key") if error.status == 503 else None
        return await show_checkout(pages, request, offer, amount, problem, request_key=again)
    url = payment_url(placed.order, await paid_through(request)) if placed.url else ""
    return see_other(url or f"{ORDERS}/{placed.order.id}")


async def show_checkout(
    pages: Pages,
    request: Handler,
    offer: Offer,
    amount: int | None,
    form: FormView | None = None,
    *,
    country: str = "",
    request_key: str | None = None,
) -> Response[Any]:
    """What is about to be ordered; with `country` (ISO 3166) what somebody there pays, if the provider knows."""
    price, credited = priced(offer, amount)
    through = await paid_through(request)
    lang, chosen = language_of(request), country if _COUNTRY.fullmatch(country) else ""
    asks = through is not None and isinstance(through.provider, Previews)
    found = await _preview(request, offer, amount, chosen) if asks and chosen else None
    view = views.CheckoutView(
        offer=offer_row(offer),
        price=price,
        credits=credited,
        amount="" if amount is None else format_amount(amount),
        terms=terms_hash(offer),
        request_key=request_key or secrets.token_urlsafe(16),
        manual=is_manual(request),
        form=form or FormView(),
        countries=countries(lang) if asks else (),
        country=chosen,
        preview=None if found is None else _row(found, chosen),
        no_preview=asks and bool(chosen) and found is None,
    )
    problems = {problem.key for problem in view.form.problems}
    status = 503 if "billing.provider_away" in problems else 422 if problems else 200
    return pages.answer(
        request, "account/checkout.html", view=view, status=status, noindex=True, sources=form_targets(through)
    )


async def _preview(request: Handler, offer: Offer, amount: int | None, country: str) -> Preview | None:
    runtime, session = runtime_of(request), required_session(request)
    try:
        return await preview(
            runtime.db, runtime.vault, runtime.providers, session.tenant_id, offer, amount=amount, country=country
        )
    except KitError:
        return None


def _row(found: Preview, country: str) -> views.PreviewRow:
    return views.PreviewRow(
        country=country,
        currency=found.currency,
        subtotal=found.subtotal,
        tax=found.tax,
        total=found.total,
        rate=_share(found.tax_rate),
    )


def _share(text: str) -> float | None:
    """A rate as the provider spells it, to be shown; nothing is worked out with it."""
    return float(text) if _RATE.fullmatch(text) else None


def is_manual(request: Handler) -> bool:
    """Whether customers pay outside, to whoever confirms it."""
    return bool(storefront_of(request).settings.get("payments", {}).get("provider", "manual") == "manual")
