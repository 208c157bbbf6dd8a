"""Sample views of the console's daily work: orders and customers. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from .account import CallRow
from .billing import LotRow
from .console_customers import CaseLine, CustomerLine, CustomerPageView, CustomersView, KeyLine, NoteLine
from .console_orders import EventLine, FindingLine, OrderLine, OrderPageView, OrdersView, PaymentLine, RefundLine
from .console_support import CasePageView, CaseRow, CasesView, SaidRow
from .console_wholesale import ModelLine, MonthView, PayoutLine, TopUpLine, WholesaleView
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_STATES: Final = ("checkout_open", "paid", "activated", "refunded", "review", "lapsed")


def _order(state: str = "checkout_open", *, price: int = 10_000_000_000, provider: str = "manual") -> OrderLine:
    return OrderLine(
        id=f"ord_{state}",
        title="Starter",
        customer="ada@example.com",
        customer_id="cus_1",
        state=state,
        price=price,
        at=_AT,
        provider=provider,
    )


_WRONG: Final = FormView(
    values={"amount": "12,5"}, problems=(FormProblem(field="amount", key="{text}", values={"text": "Not an amount."}),)
)

_NAMES: Final = (("ada@example.com", "Ada Lovelace"), ("grace@example.com", ""), ("alan@example.com", "Alan"))


def _customer(number: int = 0, status: str = "active", **changes: object) -> CustomerLine:
    email, name = _NAMES[number]
    given = {"balance": 12_340_000_000, "debt": 0, "spent": 3_210_000_000, "since": _AT.date(), **changes}
    return CustomerLine(id=f"cus_{number}", email=email, name=name, status=status, **given)  # type: ignore[arg-type]


def _wholesale(**changes: object) -> WholesaleView:
    model = ModelLine(
        model="gpt-5-mini", calls=1200, retail=9_000_000_000, wholesale=6_000_000_000, margin=3_000_000_000
    )
    given = {
        "settlement": "prepaid",
        "balance": 42_000_000_000,
        "reserved": 1_000_000_000,
        "available": 41_000_000_000,
        "overdraft": 0,
        "least": 10_000_000_000,
        "most": 1_000_000_000_000,
        "month": MonthView(
            name="2026-02",
            first=_AT.date(),
            opening=48_000_000_000,
            closing=42_000_000_000,
            retail=9_000_000_000,
            wholesale=6_000_000_000,
            margin=3_000_000_000,
            models=(model,),
            moves=(("capture", -6_000_000_000),),
        ),
        "months": (("2026-02", _AT.date()), ("2026-01", dt.date(2026, 1, 1))),
        "topups": (TopUpLine(id="ord_1", state="checkout_open", amount=1, at=_AT, by="a@b.example", waits=True),),
        "thresholds": "100.00, 20.00",
        "instructions": "Transfer to **DE00**",
        "may_edit": True,
        **changes,
    }
    return WholesaleView(**given)  # type: ignore[arg-type]


def _case(state: str = "open") -> CaseRow:
    return CaseRow(id=f"case_{state}", subject="My key is refused", who="ada@example.com", state=state, changed=_AT)


PAGES: Final = (
    page(
        "/console/orders",
        OrdersView(
            lines=tuple(_order(state) for state in _STATES),
            findings=(
                FindingLine(
                    code="duplicate_charge",
                    order="ord_review",
                    customer="ada@example.com",
                    amount="10.00",
                    refund="duplicate_charge",
                ),
                FindingLine(code="unmatched_payment", payment="txn_01h", amount="5.00", currency="EUR"),
            ),
            states=_STATES,
            older_url="/console/orders?cursor=1",
        ),
        template="console/orders.html",
    ),
    page(
        "/console/orders",
        OrdersView(states=_STATES, state="review", customer="nobody", problem="nobody", newest=False),
        template="console/orders.html",
    ),
    page(
        "/console/orders/ord_checkout_open",
        OrderPageView(
            line=_order(),
            package="starter",
            version=2,
            credits=12_000_000_000,
            refunded=0,
            lapses=_AT,
            events=(EventLine(event="create", state="draft", at=_AT, who=""),),
            may_approve=True,
            may_reject=True,
        ),
        template="console/order.html",
    ),
    page(
        "/console/orders/ord_activated",
        OrderPageView(
            line=_order("activated", provider="paddle"),
            package="starter",
            version=2,
            credits=12_000_000_000,
            refunded=1_000_000_000,
            reference="txn_01h",
            receipt="2026-0007",
            events=(
                EventLine(event="create", state="draft", at=_AT, who=""),
                EventLine(
                    event="refund_part",
                    state="activated",
                    at=_AT,
                    who="finn@aurora.example",
                    facts=(("amount", "1.00"),),
                ),
            ),
            payments=(
                PaymentLine(ref="txn_01h", amount="11.90", currency="USD", state="completed"),
                PaymentLine(
                    ref="txn_02h",
                    amount="11.90",
                    currency="USD",
                    state="completed",
                    problem="the order was paid a second time",
                    why="duplicate_charge",
                ),
            ),
            refunds=(
                RefundLine(amount="1.19", currency="USD", state="approved", reason="goodwill", at=_AT),
                RefundLine(
                    amount="2.00", currency="USD", state="rejected", reason="goodwill", at=_AT, error="It was rejected"
                ),
            ),
            refundable=9_000_000_000,
            note="Paid in two parts",
            action="refund",
            form=_WRONG,
            done="refund",
        ),
        template="console/order.html",
    ),
    page(
        "/console/customers",
        CustomersView(
            lines=(
                _customer(),
                _customer(1, "suspended", group="partners", verified=False),
                _customer(2, "closing", balance=-1_500_000_000, debt=1_500_000_000),
            ),
            groups=("partners",),
            older_url="/console/customers?cursor=1",
            may_create=True,
            made="new@example.com",
            link="https://aurora.example/reset?token=1",
        ),
        template="console/customers.html",
    ),
    page("/console/customers", CustomersView(text="nobody", query="q=nobody"), template="console/customers.html"),
    page(
        "/console/customers/cus_1",
        CustomerPageView(
            line=_customer(1, "suspended", group="partners", debt=1_000_000_000),
            available=0,
            reserved=500_000_000,
            reason="Unpaid transfer",
            until=_AT,
            lots=(LotRow(kind="promo", amount=5_000_000_000, left=1_000_000_000, at=_AT, expires=_AT),),
            keys=(KeyLine(id="key_1", prefix="sk_live…", name="laptop", used=_AT),),
            orders=(_order("activated"),),
            cases=(CaseLine(id="cas_1", subject="My key is refused", state="open", at=_AT),),
            calls=(
                CallRow(
                    id="req_1",
                    at=_AT,
                    model="gpt-5-mini",
                    key="laptop",
                    status="ok",
                    http_status=200,
                    input_tokens=1200,
                    output_tokens=340,
                    charge=1_250_000,
                    latency_ms=900,
                    stream=True,
                ),
            ),
            notes=(NoteLine(author="finn@aurora.example", body="Pays by transfer at the month's end.", at=_AT),),
            groups=("partners",),
            may_edit=True,
            may_credit=True,
            request_key="1",
            action="grant",
            form=_WRONG,
        ),
        template="console/customer.html",
    ),
    page(
        "/console/customers/cus_0",
        CustomerPageView(line=_customer(), available=12_340_000_000, reserved=0, may_edit=True, done="resume"),
        template="console/customer.html",
    ),
    page("/console/wholesale", _wholesale(), template="console/wholesale.html"),
    page(
        "/console/wholesale",
        _wholesale(
            settlement="revenue_share",
            available=0,
            overdraft=5_000_000_000,
            payable=3_000_000_000,
            requested=1_000_000_000,
            payouts=(PayoutLine(id="pay_1", state="rejected", amount=1_000_000_000, at=_AT, reason="No account"),),
            topups=(
                TopUpLine(id="ord_2", state="checkout_open", amount=1, at=_AT, by="a", pay_url="/pay", waits=True),
            ),
            may_ask=True,
            action="topup",
            form=_WRONG,
        ),
        template="console/wholesale.html",
    ),
    page(
        "/console/support",
        CasesView(rows=(_case(), _case("answered"), _case("closed")), older_url="/console/support?cursor=1"),
        template="console/support.html",
    ),
    page("/console/support", CasesView(state="open", newest=False), template="console/support.html"),
    page(
        "/console/support/case_1",
        CasePageView(
            row=_case(),
            said=(
                SaidRow(team=False, who="", paragraphs=("My key is refused.", "What now?"), at=_AT),
                SaidRow(team=True, who="finn@aurora.example", paragraphs=("Which key?",), at=_AT),
            ),
            customer_url="/console/customers/cus_1",
            about="ord_1",
            about_url="/console/orders/ord_1",
            may_edit=True,
            done="answer",
        ),
        template="console/case.html",
    ),
)
