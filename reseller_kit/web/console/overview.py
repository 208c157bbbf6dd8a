"""The page `/console`: where a member arrives after logging in, with what its role may see, and where a draft opens."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import Conflict, InvalidForm, InvalidManifest
from ...core.roles import Right, may
from ...core.storefront import Storefront
from ...flows import launch as launch_flow
from ...flows.launch import Launch
from ...flows.payment_setup import read_setup
from ...flows.provision.edit import problems_of
from ...flows.runtime import Runtime
from ...flows.standing import Day, Stand, look
from ...theming import locale
from ...theming.charts import Chart, Point, bars
from ...theming.console import NAVIGATION, DayRow, LaunchView, OverviewView, Step, navigation_of
from ...theming.forms import FormView
from ..forms import read_form
from ..guards import see_other
from ..members import Member
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from .guards import entered, member_may
from .sessions import member_of

_HOME: Final = "/console"
_DONE: Final = frozenset({"opened", "asked"})
_LOOKS: Final = 40
_PAUSE_SECONDS: Final = 0.05
_FORMS: Final = {
    "legal": "/console/brand#brand.legal.company",
    "package": "/console/packages/new",
    "wallet": "/console/wholesale#topup",
}
"""Steps that begin below the page which the menu has."""
_ADVISED: Final = frozenset({"brand", "package", "domain"})
"""Steps that a storefront may open without, though it had better not."""


def overview_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The first page of the console."""

    @get(_HOME, guards=[entered])
    async def show(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(_HOME, guards=[member_may("brand", edit=True)])
    async def act(request: Handler) -> Response[Any]:
        form, runtime = await read_form(request), runtime_of(request)
        slug, actor, action = storefront_of(request).slug, member_of(request).actor, form.raw("action")
        try:
            if action == "open":
                await launch_flow.open_own(
                    runtime.db, runtime.vault, runtime.providers, slug, actor=actor, port=pages.port
                )
                await _until_served(runtime, storefront_of(request).primary_host)
                return see_other(f"{_HOME}?done=opened")
            if action == "ask":
                await launch_flow.ask_for_review(runtime.db, runtime.providers, slug, actor=actor, port=pages.port)
                return see_other(f"{_HOME}?done=asked")
        except (Conflict, InvalidManifest) as error:
            invalid = isinstance(error, InvalidManifest)
            text = " ".join(problems_of(error.details).values()) if invalid else f"{error.message} {error.fix}"
            problem = InvalidForm({"": ("{text}", {"text": text})})
            return await _show(pages, request, form=form.view(problem), status=409)
        return see_other(_HOME)

    return [show, act]


async def _until_served(runtime: Runtime, host: str) -> None:
    """Let this process take the opening over, so that the page that follows does not call it a draft still."""
    for _ in range(_LOOKS):
        entry = runtime.snapshot.hosts.get(host)
        if entry is None or entry.storefront.open:
            return
        await asyncio.sleep(_PAUSE_SECONDS)


async def _show(pages: Pages, request: Handler, *, form: FormView | None = None, status: int = 200) -> Response[Any]:
    runtime, storefront, member = runtime_of(request), storefront_of(request), member_of(request)
    found = await look(runtime.db, storefront)
    steps: tuple[Step, ...] = ()
    launch: Launch | None = None
    if may(member.role, "brand", edit=True):
        paid = launch_flow.takes_payments(await read_setup(runtime.db, runtime.providers, storefront.slug))
        launch = await launch_flow.look(runtime.db, runtime.providers, storefront.slug)
        steps = _steps(found, storefront, member, paid=paid)
    view = _view(found, member, steps)
    done = request.query_params.get("done", "")
    told = done in _DONE and (done != "opened" or storefront.open)
    view = msgspec.structs.replace(
        view,
        launch=None if launch is None or storefront.suspended else _launch(launch, steps),
        done_now=done if told else "",
        form=form or FormView(),
    )
    return pages.answer(request, "console/overview.html", view=view, status=status)


def _launch(found: Launch, steps: tuple[Step, ...]) -> LaunchView:
    paths = {step.name: step.path for step in steps}
    return LaunchView(
        missing=tuple((name, paths.get(name, paths["prices"])) for name in found.missing),
        advised=tuple((step.name, step.path) for step in steps if step.name in _ADVISED and not step.done),
        review=found.review,
        asked=found.asked_at is not None,
    )


def _view(found: Stand, member: Member, steps: tuple[Step, ...]) -> OverviewView:
    def seen(right: Right) -> bool:
        return may(member.role, right)

    money, counts = seen("insights"), found.counts
    return OverviewView(
        name=member.name,
        steps=steps,
        balance=found.balance.balance if seen("wholesale") else None,
        reserved=found.balance.reserved,
        overdraft=found.overdraft,
        settlement=found.settlement,
        today=found.days[-1].retail if money else None,
        month=sum(day.retail for day in found.days) if money else None,
        calls_today=found.days[-1].calls,
        calls=sum(day.calls for day in found.days),
        customers=counts.customers if seen("customers") else None,
        new_customers=counts.fresh,
        orders=counts.orders if seen("payments") else None,
        cases=counts.cases if seen("support") else None,
        reports=counts.reports if seen("customers") else None,
        chart=_chart(found.days) if money else None,
        days=tuple(DayRow(day.day, day.calls, day.retail) for day in reversed(found.days)) if money else (),
        linked=frozenset(item.path for item in navigation_of(member.role, NAVIGATION)),
    )


def _chart(days: tuple[Day, ...]) -> Chart:
    return bars([Point(locale.short_day("en", day.day), locale.day("en", day.day), day.retail) for day in days])


def _steps(found: Stand, storefront: Storefront, member: Member, *, paid: bool) -> tuple[Step, ...]:
    """The way to a running storefront, each step done or not by what is really there."""
    open_ = {item.path for item in navigation_of(member.role, NAVIGATION)}
    settings, done = storefront.settings, found.steps
    funded = found.balance.balance + found.overdraft > 0 or done.called
    wallet = [("wallet", funded, "/console/wholesale")] if found.settlement == "prepaid" else []
    steps = (
        ("brand", bool(settings.get("brand")), "/console/brand"),
        ("legal", launch_flow.has_legal(settings), "/console/brand"),
        ("prices", done.prices or done.called, "/console/pricing"),
        ("package", done.package, "/console/packages"),
        ("payment", paid, "/console/payments"),
        *wallet,
        ("domain", done.domain, "/console/domains"),
        ("open", storefront.open, ""),
        ("customer", done.customer, "/console/customers"),
        ("call", done.called, ""),
    )
    return tuple(
        Step(name=name, done=reached, path=_FORMS.get(name, path) if path in open_ else "")
        for name, reached, path in steps
    )
