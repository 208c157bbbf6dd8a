"""Sample views of the billing pages. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .billing import (
    ORDER_TONES,
    BillingView,
    Charged,
    CheckoutView,
    LotRow,
    MoveRow,
    OfferRow,
    OrderRow,
    OrderView,
    PayView,
    PlanRow,
    PreviewRow,
    ReceiptLine,
    ReceiptView,
    RefundLine,
    RefundView,
    StepRow,
    SubscriptionRow,
    SubscriptionView,
    TaxLine,
)
from .forms import FormProblem, FormView
from .page import BonusRow, PackageRow
from .sample_page import SAMPLE_VISITOR, SamplePage

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_DOLLAR: Final = 10**9
_ID: Final = "ord_01JD0000000000000000000000"
_TOPUP: Final = OfferRow(
    package=PackageRow(
        id="top-up",
        kind="topup",
        title="Top-up",
        min_nano=5 * _DOLLAR,
        max_nano=500 * _DOLLAR,
        presets_nano=(10 * _DOLLAR, 25 * _DOLLAR, 100 * _DOLLAR),
        bonus=(BonusRow(50 * _DOLLAR, "5%"), BonusRow(100 * _DOLLAR, "10%")),
    )
)
_STARTER: Final = OfferRow(
    package=PackageRow(
        id="starter",
        kind="package",
        title="Starter",
        price_nano=10 * _DOLLAR,
        credits_nano=12 * _DOLLAR,
        valid_days=90,
        refund_days=14,
    ),
    models=("gpt-*", "claude-*"),
    lasts_days=90,
)
_MONTHLY: Final = OfferRow(
    package=PackageRow(
        id="monthly",
        kind="subscription",
        title="Monthly",
        price_nano=20 * _DOLLAR,
        credits_nano=25 * _DOLLAR,
        daily_nano=5 * _DOLLAR,
        period="month",
        roll_over=True,
        roll_over_periods=2,
        refund_days=0,
    ),
    lasts_days=31,
)
_LOTS: Final = tuple(
    LotRow(
        kind=kind,
        amount=12 * _DOLLAR,
        left=7 * _DOLLAR,
        at=_AT,
        expires=expires,
        models=models,
        daily=5 * _DOLLAR if kind == "subscription" else 0,
        left_today=2 * _DOLLAR if kind == "subscription" else 0,
    )
    for kind, expires, models in (
        ("package", _AT, ("gpt-*",)),
        ("topup", None, ()),
        ("subscription", _AT, ()),
        ("promo", None, ()),
        ("manual", None, ()),
        ("voucher", None, ()),
        ("trial", _AT, ()),
    )
)
_MOVES: Final = tuple(
    MoveRow(kind=kind, amount=amount, after=20 * _DOLLAR, at=_AT, url="/account/usage")
    for kind, amount in (
        ("call", -2_221_350),
        ("order", 12 * _DOLLAR),
        ("grant", _DOLLAR),
        ("expiry", -_DOLLAR),
        ("adjustment", _DOLLAR),
        ("reversal", 2_221_350),
        ("clawback", -_DOLLAR),
        ("restoration", _DOLLAR),
        ("other", _DOLLAR),
    )
)
_SUBSCRIPTIONS: Final = tuple(
    SubscriptionRow(
        id="sub_01JD0000000000000000000000",
        title="Monthly",
        state=state,
        price=20 * _DOLLAR,
        credits=25 * _DOLLAR,
        period="month",
        until=_AT,
        ends=ends,
        next_title=following,
    )
    for state, ends, following in (
        ("active", None, "Team"),
        ("past_due", None, ""),
        ("active", _AT, ""),
        ("paused", None, ""),
        ("ended", None, ""),
    )
)
_WRONG: Final = FormView(
    values={"package": "top-up", "amount": "1", "voucher": "X"},
    problems=(
        FormProblem(field="amount", key="billing.wrong_amount", values={"min": "5.00", "max": "500.00"}),
        FormProblem(field="voucher", key="billing.voucher_wrong"),
        FormProblem(field="alerts", key="billing.alerts_wrong"),
    ),
)


_REFUNDS: Final = {
    "activated": RefundView(standing="open", until=_AT, back=10 * _DOLLAR, takes=9 * _DOLLAR, debt=3 * _DOLLAR),
    "partially_refunded": RefundView(standing="over", back=5 * _DOLLAR, takes=6 * _DOLLAR, pending=("5.00 USD",)),
    "refunded": RefundView(standing="excluded", back=_DOLLAR, takes=_DOLLAR),
    "charged_back": RefundView(standing="unstated", back=_DOLLAR, case_url="/account/support/case_1"),
}


def _order(state: str) -> OrderRow:
    return OrderRow(id=_ID, title="Starter", state=state, price=10 * _DOLLAR, credits=12 * _DOLLAR, at=_AT)


def _page(path: str, template: str, view: Any) -> SamplePage:
    return SamplePage(
        path=f"/account/billing{path}", template=f"account/{template}.html", view=view, visitor=SAMPLE_VISITOR
    )


def _of_state(state: str) -> SamplePage:
    waits = state in {"draft", "checkout_open"}
    hosted = state in {"draft", "paid"}
    view = OrderView(
        order=_order(state),
        offer=_STARTER,
        manual=not hosted,
        refunded=5 * _DOLLAR if "refunded" in state else 0,
        steps=(StepRow(state="ordered", at=_AT), StepRow(state=state, at=_AT, amount="5.00")),
        waits=waits,
        lapses=_AT if waits else None,
        instructions="Transfer to **DE00 0000** and quote the reference.",
        may_open=state == "draft",
        returning=hosted,
        again_seconds=4 if hosted else 0,
        invoice_url=f"/account/billing/orders/{_ID}/invoice" if hosted else "",
        manage_url=f"/account/billing/orders/{_ID}/manage" if hosted else "",
        note="No payment arrived." if state == "cancelled" else "",
        receipt="" if waits else "2026-00042",
        refund=_REFUNDS.get(state, RefundView()),
    )
    return _page(f"/orders/{_ID}", "order", view)


def _subscribed(own: SubscriptionRow, **given: Any) -> SamplePage:
    view = SubscriptionView(subscription=own, offer=_MONTHLY, **given)
    return _page(f"/subscriptions/{own.id}", "subscription", view)


def _hosted() -> OrderView:
    return OrderView(
        order=_order("checkout_open"),
        offer=_STARTER,
        manual=False,
        steps=(StepRow(state="ordered", at=_AT),),
        waits=True,
        lapses=_AT,
        pay_url="https://pay.example/1",
    )


PAGES: Final = (
    _subscribed(_SUBSCRIPTIONS[0], plans=(PlanRow(offer=_MONTHLY, terms="0"),)),
    _subscribed(_SUBSCRIPTIONS[0], plans=(PlanRow(offer=_MONTHLY, terms="0", at_once=True),), manual=False),
    _subscribed(
        _SUBSCRIPTIONS[1],
        waiting=_ID,
        form=FormView(
            problems=tuple(FormProblem(field="", key=f"billing.subscription_{key}") for key in ("changed", "away"))
        ),
    ),
    *(_subscribed(own) for own in _SUBSCRIPTIONS[2:]),
    _page(
        "",
        "billing",
        BillingView(
            available=20 * _DOLLAR,
            balance=21 * _DOLLAR,
            reserved=_DOLLAR,
            debt=0,
            lots=_LOTS,
            offers=(_TOPUP, _STARTER, _MONTHLY),
            orders=tuple(_order(state) for state in ORDER_TONES),
            moves=_MOVES,
            older_orders="/account/billing?orders=x",
            older_moves="/account/billing?moves=x",
            redeemed=5 * _DOLLAR,
            subscriptions=_SUBSCRIPTIONS,
            alerts=("20.00", "5.00"),
            alerts_saved=True,
        ),
    ),
    _page("", "billing", BillingView(available=0, balance=0, reserved=0, debt=_DOLLAR, offers=(_TOPUP,), form=_WRONG)),
    _page(
        "",
        "billing",
        BillingView(available=0, balance=0, reserved=0, debt=0, offers=(_TOPUP,), may_buy=False, manual=False),
    ),
    _page(
        "/buy",
        "checkout",
        CheckoutView(
            offer=_STARTER,
            price=10 * _DOLLAR,
            credits=12 * _DOLLAR,
            amount="",
            terms="0",
            request_key="x",
            form=FormView(problems=(FormProblem(field="accept", key="billing.accept_needed"),)),
        ),
    ),
    _page(
        "/buy",
        "checkout",
        CheckoutView(
            offer=_TOPUP,
            price=25 * _DOLLAR,
            credits=25 * _DOLLAR,
            amount="25.00",
            terms="0",
            request_key="x",
            manual=False,
            form=FormView(
                problems=tuple(
                    FormProblem(field="", key=f"billing.{key}")
                    for key in ("changed", "cannot_order", "not_on_offer", "too_late", "provider_away")
                )
            ),
            countries=(("DE", "Germany"), ("US", "United States")),
            country="DE",
            preview=PreviewRow(country="DE", currency="EUR", subtotal=2302, tax=437, total=2739, rate=0.19),
        ),
    ),
    _page(
        "/buy",
        "checkout",
        CheckoutView(
            offer=_MONTHLY,
            price=20 * _DOLLAR,
            credits=25 * _DOLLAR,
            amount="",
            terms="0",
            request_key="x",
            manual=False,
            countries=(("DE", "Germany"), ("US", "United States")),
            country="US",
            no_preview=True,
        ),
    ),
    _page(f"/orders/{_ID}", "order", _hosted()),
    _page(
        f"/orders/{_ID}/pay",
        "pay",
        PayView(
            transaction="txn_1",
            token="test_1",
            script="https://pay.example/pay.js",
            sandbox=True,
            success=f"https://aurora.example/account/billing/orders/{_ID}?returned=1",
            fallback="https://pay.example/1",
            back=f"/account/billing/orders/{_ID}",
        ),
    ),
    _page("/pay", "pay", PayView(transaction="txn_1", token="test_1", script="https://pay.example/pay.js")),
    *(_of_state(state) for state in ORDER_TONES),
    _page(
        f"/orders/{_ID}/receipt",
        "receipt",
        ReceiptView(
            number="2026-00042",
            order=_ID,
            issued=_AT,
            paid=_AT,
            seller="Aurora Compute Ltd",
            seller_lines=("Aurora AI", "1 Example Street, Dublin", "Ireland", "IE 000000"),
            buyer_lines=("Jane Doe", "jane@example.com"),
            lines=(ReceiptLine("Starter", "12.00", "10.00"),),
            total="12.30",
            currency="USD",
            taxes=(TaxLine("23%", "2.30"),),
            merchant=True,
            charged=Charged("EUR", 1130, 211),
            refunds=(RefundLine(_AT, "5.00"),),
            kept="7.30",
        ),
    ),
)
