"""Webhooks of Paddle: signatures over raw bytes, and events into facts."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle_billing.Notifications import Secret, Verifier

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.ids import new_id
from reseller_kit.core.payment import Adjustment, PaidItem, Payment, Subscription, TaxLine
from reseller_kit.core.times import parse_time
from reseller_kit.payments.base import Delivery
from reseller_kit.payments.paddle import Account, Paddle
from reseller_kit.payments.paddle.account import base_url
from reseller_kit.payments.paddle.signing import TOLERANCE_SECONDS
from reseller_kit.payments.references import order_of, signed_order

SECRET = "pdl_ntfset_01_secret"
NOW = 1_790_000_000
KEY = b"k" * 32
ORDER = new_id("ord")


def paddle(**changes: Any) -> Paddle:
    members = {"api_key": "key", "webhook_secret": SECRET, "environment": "sandbox", "reference_key": KEY, **changes}
    return Paddle(Account(**members))


PADDLE = paddle()


def signature(body: bytes, at: int = NOW, secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), f"{at}:".encode() + body, hashlib.sha256).hex()


def deliver(body: bytes, header: str | None = None, provider: Paddle = PADDLE) -> Delivery:
    stated = f"ts={NOW};h1={signature(body)}" if header is None else header
    return provider.verify(body, {"paddle-signature": stated}, NOW * 1_000_000)


def event(kind: str, data: dict[str, Any], **changes: Any) -> bytes:
    whole = {
        "event_id": "evt_01hv8x29kz0t586xy6zn1a62ny",
        "event_type": kind,
        "occurred_at": "2026-04-12T10:18:49.621022Z",
        "notification_id": "ntf_01hv8x29kz",
        "data": data,
    }
    return json.dumps({**whole, **changes}).encode()


TRANSACTION: dict[str, Any] = {
    "id": "txn_01hv8wptq8987qeep44cyrewp9",
    "status": "completed",
    "origin": "web",
    "currency_code": "USD",
    "customer_id": "ctm_01hv6y1jedq4p1n0yqn5ba3ky4",
    "subscription_id": None,
    "invoice_id": "inv_01hv8x2c",
    "custom_data": {"order": signed_order(KEY, ORDER), "note": "anything"},
    "billing_period": None,
    "items": [{"price": {"id": "pri_01gsz8x8sawmvhz1pv30nge1ke", "new": 1}, "quantity": 1, "proration": None}],
    "details": {
        "totals": {"subtotal": "1000", "discount": "0", "tax": "190", "total": "1190", "fee": "109", "balance": "0"},
        "tax_rates_used": [{"tax_rate": "0.19", "totals": {"subtotal": "1000", "tax": "190", "total": "1190"}}],
        "line_items": [{"id": "txnitm_1", "totals": {"subtotal": "1000", "tax": "190", "total": "1190"}}],
    },
    "payments": [],
    "updated_at": "2026-04-12T10:18:48.294633123Z",
}


def test_a_completed_transaction_becomes_a_payment() -> None:
    told = deliver(event("transaction.completed", TRANSACTION))
    assert told.event_id == "evt_01hv8x29kz0t586xy6zn1a62ny"
    assert told.fact == Payment(
        ref="txn_01hv8wptq8987qeep44cyrewp9",
        status="completed",
        origin="purchase",
        occurred_at=parse_time("2026-04-12T10:18:49.621022Z"),
        items=(PaidItem(price_ref="pri_01gsz8x8sawmvhz1pv30nge1ke", quantity=1),),
        currency="USD",
        subtotal=1000,
        tax=190,
        fee=109,
        total=1190,
        tax_lines=(TaxLine(rate="0.19", minor=190),),
        order_id=ORDER,
        customer_ref="ctm_01hv6y1jedq4p1n0yqn5ba3ky4",
        invoice_ref="inv_01hv8x2c",
    )


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("api", "purchase"),
        ("subscription_recurring", "renewal"),
        ("subscription_payment_method_change", "change"),
        ("subscription_update", "change"),
        ("subscription_charge", "change"),
    ],
)
def test_what_is_no_purchase_is_none(origin: str, meant: str) -> None:
    fact = deliver(event("transaction.completed", {**TRANSACTION, "origin": origin})).fact
    assert isinstance(fact, Payment)
    assert fact.origin == meant


def test_a_renewal_that_names_no_period_says_when_it_was_billed() -> None:
    billed = {**TRANSACTION, "origin": "subscription_recurring", "billed_at": "2026-04-12T10:00:00Z"}
    period = {"starts_at": "2026-05-01T00:00:00Z", "ends_at": "2026-06-01T00:00:00Z"}
    for more, begins in (({}, billed["billed_at"]), ({"billing_period": period}, period["starts_at"])):
        fact = deliver(event("transaction.completed", {**billed, **more})).fact
        assert isinstance(fact, Payment)
        assert fact.begins_at == parse_time(begins)


def test_of_a_larger_plan_only_what_was_taken_counts() -> None:
    """The rest of the smaller plan paid the other part, and that was taken with the payment of its period."""
    totals = {"subtotal": "1666", "discount": "0", "tax": "333", "total": "1999", "credit": "1500", "fee": "150"}
    rates = [
        {"tax_rate": "0.1", "totals": {"subtotal": "1666", "tax": "166", "total": "1999"}},
        {"tax_rate": "0.1", "totals": {"subtotal": "1666", "tax": "167", "total": "1999"}},
    ]
    enlarged = {"origin": "subscription_update", "details": {"totals": totals, "tax_rates_used": rates}}
    fact = deliver(event("transaction.completed", {**TRANSACTION, **enlarged})).fact
    assert isinstance(fact, Payment)
    assert (fact.total, fact.tax, fact.subtotal, fact.fee) == (499, 83, 416, 150)
    assert sum(line.minor for line in fact.tax_lines) == fact.tax
    renewed = deliver(event("transaction.completed", {**TRANSACTION, **enlarged, "origin": "subscription_recurring"}))
    assert isinstance(renewed.fact, Payment)
    assert (renewed.fact.total, renewed.fact.tax, renewed.fact.subtotal) == (1999, 333, 1666)
    for credit, taken in (("1999", 0), ("5000", 0), ("0", 1999), (None, 1999)):
        totals["credit"] = credit  # type: ignore[assignment]
        fact = deliver(event("transaction.completed", {**TRANSACTION, **enlarged})).fact
        assert isinstance(fact, Payment)
        assert fact.total == taken == fact.subtotal + fact.tax


def test_an_order_that_somebody_else_wrote_is_only_claimed() -> None:
    for written in (ORDER, f"{ORDER}.{'0' * 64}", signed_order(b"x" * 32, ORDER), f"{ORDER}.é"):
        fact = deliver(event("transaction.completed", {**TRANSACTION, "custom_data": {"order": written}})).fact
        assert isinstance(fact, Payment)
        assert (fact.order_id, fact.claimed) == (None, written)
    for empty in (None, {}, {"order": 5}, ["order"], "order"):
        fact = deliver(event("transaction.completed", {**TRANSACTION, "custom_data": empty})).fact
        assert isinstance(fact, Payment)
        assert (fact.order_id, fact.claimed) == (None, None)


def test_adjustments_and_subscriptions() -> None:
    adjusted = {
        "id": "adj_1",
        "action": "refund",
        "transaction_id": "txn_1",
        "status": "pending_approval",
        "currency_code": "USD",
        "reason": "goodwill [rfd_1]",
        "totals": {"subtotal": "100", "tax": "19", "total": "119"},
        "created_at": "2026-04-12T10:00:00Z",
    }
    fact = deliver(event("adjustment.created", adjusted)).fact
    assert isinstance(fact, Adjustment)
    assert (fact.kind, fact.status, fact.total, fact.payment_ref) == ("refund", "pending", 119, "txn_1")
    assert deliver(event("adjustment.created", {**adjusted, "action": "tip"})).fact is None
    renewing = {
        "id": "sub_1",
        "status": "active",
        "items": [{"price": {"id": "pri_1"}, "quantity": 1, "status": "active"}],
        "custom_data": TRANSACTION["custom_data"],
        "current_billing_period": {"starts_at": "2026-04-01T00:00:00Z", "ends_at": "2026-05-01T00:00:00Z"},
        "scheduled_change": {"action": "cancel", "effective_at": "2026-05-01T00:00:00Z", "resume_at": None},
        "updated_at": "2026-04-12T10:00:00Z",
    }
    state = deliver(event("subscription.updated", renewing)).fact
    assert isinstance(state, Subscription)
    assert (state.status, state.order_id, state.cancel_at) == ("active", ORDER, parse_time("2026-05-01"))


@pytest.mark.parametrize(
    "path",
    [
        "origin",
        "checkout",
        "created_at",
        "updated_at",
        "payments",
        "items.0.price.status",
        "items.0.price.custom_data",
        "details.tax_rates_used",
        "details.tax_rates_used.0.totals.subtotal",
        "details.tax_rates_used.0.totals.total",
        "details.line_items",
        "details.line_items.0.id",
        "details.line_items.0.totals",
        "details.totals.credit",
        "details.totals.discount",
        "details.totals.fee",
    ],
)
@pytest.mark.parametrize("left_out", [True, False])
def test_what_is_not_counted_may_be_null_or_left_out(path: str, *, left_out: bool) -> None:
    """A payment is not refused for a member that nothing depends on."""
    data = json.loads(json.dumps(TRANSACTION))
    holder: Any = data
    *names, last = [int(name) if name.isdigit() else name for name in path.split(".")]
    for name in names:
        holder = holder[name]
    holder.pop(last, None)
    if not left_out:
        holder[last] = None
    fact = deliver(event("transaction.completed", data)).fact
    assert isinstance(fact, Payment)
    assert (fact.status, fact.order_id, fact.subtotal, fact.tax, fact.total) == ("completed", ORDER, 1000, 190, 1190)
    assert fact.items == (PaidItem(price_ref="pri_01gsz8x8sawmvhz1pv30nge1ke", quantity=1),)


@pytest.mark.parametrize("status", ["draft", "ready", "billed", "past_due", "canceled"])
@pytest.mark.parametrize("details", [None, {"totals": None, "tax_rates_used": None, "line_items": None}])
def test_a_payment_on_its_way_may_have_no_sums_yet(status: str, details: Any) -> None:
    data = {**TRANSACTION, "status": status, "details": details, "items": None}
    fact = deliver(event("transaction.updated", data)).fact
    assert isinstance(fact, Payment)
    assert (fact.items, fact.subtotal, fact.total) == ((), 0, 0)


def test_adjustments_and_subscriptions_may_leave_out_what_is_not_counted() -> None:
    adjusted = {
        "id": "adj_1", "action": "refund", "transaction_id": "txn_1", "status": "approved", "currency_code": "USD",
        "totals": {"total": "500"}, "reason": None, "created_at": None, "updated_at": None, "items": None,
    }  # fmt: skip
    fact = deliver(event("adjustment.created", adjusted)).fact
    assert isinstance(fact, Adjustment)
    assert (fact.total, fact.reason, fact.created_at) == (500, "", 0)
    begun = {"id": "sub_1", "status": "active", "items": None, "created_at": None, "updated_at": None}
    assert deliver(event("subscription.imported", begun)).fact is None


def test_events_that_say_nothing_of_money_have_no_fact() -> None:
    assert deliver(event("customer.created", {"id": "ctm_1"})).fact is None
    assert deliver(event("transaction.created", {**TRANSACTION, "status": "unheard_of"})).fact is None


@pytest.mark.parametrize(
    "changes",
    [
        {"currency_code": "dollars"},
        {"details": {"totals": {"subtotal": "10.00", "total": "1190"}}},
        {"details": {"totals": {"subtotal": 1000, "total": "1190"}}},
        {"details": {}},
        {"id": "../customers"},
        {"items": [{"price": {"id": "pri_1"}, "quantity": 1.5}]},
        {"items": [{"quantity": 1}]},
        {"status": None},
    ],
)
def test_what_cannot_be_counted_on_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        deliver(event("transaction.completed", {**TRANSACTION, **changes}))


BODY = event("transaction.completed", TRANSACTION)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "ts=1",
        f"h1={signature(BODY)}",
        f"ts={NOW};h1=",
        f"ts={NOW};h1={signature(BODY, secret='')}",
        f"ts={NOW};h1={signature(BODY, secret='another')}",
        f"ts={NOW};h1={signature(BODY + b' ')}",
        f"ts={NOW + 1};h1={signature(BODY)}",
        f"ts={NOW - 60};h1={signature(BODY, NOW - 60)}",
        f"ts={NOW + 60};h1={signature(BODY, NOW + 60)}",
        f"ts={NOW};ts={NOW};h1={signature(BODY)}",
        f"ts= {NOW};h1={signature(BODY)}",
        f"ts={NOW};h1={signature(BODY).upper()}",
        f"ts={NOW};h2={signature(BODY)}",
        "ts=٣;h1=x",
        "x" * 5_000,
    ],
)
def test_signatures_that_are_not_ours_are_refused(header: str) -> None:
    with pytest.raises(InvalidRequest):
        deliver(BODY, header)
    with pytest.raises(InvalidRequest):
        PADDLE.verify(BODY, {}, NOW * 1_000_000)


def test_one_of_several_signatures_is_enough_and_clocks_may_differ() -> None:
    early = NOW - TOLERANCE_SECONDS
    assert deliver(BODY, f"ts={early};h1={'0' * 64};h1={signature(BODY, early)}").fact is not None


@given(st.binary(max_size=300), st.text(max_size=120))
def test_nothing_that_arrives_raises_anything_else(body: bytes, header: str) -> None:
    for stated in (header, f"ts={NOW};h1={signature(body)}"):
        with suppress(InvalidRequest):
            deliver(body, stated)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(TRANSACTION)),
    json_values,
    st.sampled_from(["transaction.paid", "subscription.x", "adjustment."]),
)
def test_a_signed_event_of_any_shape_is_taken_or_refused(member: str, value: Any, kind: str) -> None:
    with suppress(InvalidRequest):
        deliver(event(kind, {**TRANSACTION, member: value}))


@given(st.text(alphabet="abc{}:é", max_size=60), st.booleans())
def test_what_is_taken_is_what_the_sdk_takes(text: str, genuine: bool) -> None:  # noqa: FBT001  # hypothesis gives it
    body = text.encode()
    header = f"ts={NOW};h1={signature(body, secret=SECRET if genuine else 'other')}"
    request = SimpleNamespace(body=body, headers={"Paddle-Signature": header})
    theirs = Verifier(maximum_variance=0).verify(request, Secret(SECRET))
    try:
        deliver(body, header)
    except InvalidRequest as error:
        ours = "signature" not in error.message
    else:
        ours = True
    assert ours == theirs == genuine


@given(st.text(max_size=120))
def test_order_ids_are_read_only_as_they_were_signed(text: str) -> None:
    assert order_of(KEY, text) is None
    assert order_of(KEY, signed_order(KEY, ORDER)) == ORDER
    assert order_of(KEY, signed_order(KEY, text)) is None


def test_no_provider_without_secrets_or_for_another_place() -> None:
    for changes in ({"webhook_secret": ""}, {"webhook_secret": " "}, {"api_key": ""}, {"reference_key": b""}):
        with pytest.raises(InvalidRequest):
            paddle(**changes)
    for environment in (
        "production",
        "http://10.0.0.1:80",
        "https://evil.example",
        "http://a@127.0.0.1",
        "",
        "http://[",
    ):
        with pytest.raises(InvalidRequest):
            base_url(environment)
    assert base_url("http://127.0.0.1:8100/") == "http://127.0.0.1:8100"
    assert SECRET not in repr(Account(api_key=SECRET, webhook_secret=SECRET, environment="live", reference_key=KEY))
