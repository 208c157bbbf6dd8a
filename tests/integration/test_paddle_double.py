"""The double's API as the provider's own SDK meets it: its strict entities decode every answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from paddle_billing.Entities.PricingPreviews import PricePreviewItem
from paddle_billing.Entities.Shared import (
    Action,
    AddressPreview,
    AdjustmentType,
    CountryCode,
    CurrencyCode,
    Status,
    TransactionStatus,
)
from paddle_billing.Entities.Subscriptions import SubscriptionEffectiveFrom, SubscriptionProrationBillingMode
from paddle_billing.Resources.Adjustments.Operations import CreateAdjustment, CreateAdjustmentItem, ListAdjustments
from paddle_billing.Resources.CustomerPortalSessions.Operations import CreateCustomerPortalSession
from paddle_billing.Resources.Customers.Operations import CreateCustomer, ListCustomers
from paddle_billing.Resources.Prices.Operations import ListPrices, UpdatePrice
from paddle_billing.Resources.PricingPreviews.Operations import PreviewPrice
from paddle_billing.Resources.Shared.Operations import Comparator, DateComparison, Pager
from paddle_billing.Resources.Subscriptions.Operations import CancelSubscription, UpdateSubscription
from paddle_billing.Resources.Subscriptions.Operations.Update import SubscriptionUpdateItem
from paddle_billing.Resources.Transactions.Operations import CreateTransaction, ListTransactions
from paddle_billing.Resources.Transactions.Operations.Create import TransactionCreateItem

from tests.support.paddle_double import paddle_double
from tests.support.paddle_seller import Seller


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seller]:
    with paddle_double(tmp_path_factory.mktemp("double")) as double:
        yield Seller(double)


def test_a_purchase_pays_tax_on_top_and_tells_its_events_in_order(seller: Seller) -> None:
    opened = seller.open(seller.starter, order="o-7")
    assert (opened.status, opened.details.totals.subtotal, opened.details.totals.tax) == ("draft", "1000", "0")
    assert opened.checkout is not None
    assert opened.checkout.url == f"{seller.double.url}/checkout?_ptxn={opened.id}"
    since = len(seller.happened())
    seller.double.pay(opened.id, country="DE")
    paid = seller.client.transactions.get(opened.id)
    totals = paid.details.totals
    assert (paid.status, totals.subtotal, totals.tax, totals.total) == ("completed", "1000", "190", "1190")
    assert (totals.fee, totals.earnings, totals.balance) == ("110", "890", "0")
    assert paid.custom_data is not None
    assert paid.custom_data.data == {"order": "o-7"}
    assert seller.happened(since) == [
        "address.created",
        "transaction.updated",
        "transaction.ready",
        "transaction.updated",
        "transaction.paid",
        "transaction.updated",
        "transaction.completed",
    ]
    events = seller.double.state()["events"][since:]
    moments = [event["occurred_at"] for event in events]
    assert moments == sorted(set(moments))
    told = next(event["data"] for event in events if event["event_type"] == "transaction.paid")
    assert (told["details"]["totals"]["fee"], told["details"]["payout_totals"], told["invoice_id"]) == (None,) * 3


def test_the_checkout_page_declines_then_takes_the_money_and_leads_on(seller: Seller) -> None:
    opened = seller.open(seller.starter)
    url, http = f"{seller.double.url}/checkout", seller.double.http
    shown = http.get(f"{url}?_ptxn={opened.id}").text
    assert "Test double" in shown
    assert "$10.00" in shown
    form = {"_ptxn": opened.id, "country": "GB", "success_url": "http://127.0.0.2:1/account"}
    assert "declined" in http.post(url, data=form | {"action": "decline"}).text
    assert seller.client.transactions.get(opened.id).payments[0].status == "error"
    paid = http.post(url, data=form | {"action": "pay"})
    assert (paid.status_code, paid.headers["location"]) == (303, "http://127.0.0.2:1/account")
    assert "can close" in http.get(f"{url}?_ptxn={opened.id}").text
    assert http.post(url, data=form | {"action": "pay"}).status_code == 409
    assert http.get(f"{url}?_ptxn=txn_none").status_code == 404


def test_refunds_wait_and_never_exceed_what_was_paid(seller: Seller) -> None:
    paid = seller.bought(seller.starter)
    line = paid.details.lineItems[0].id
    part = CreateAdjustment.partial(
        Action.Refund, [CreateAdjustmentItem(line, AdjustmentType.Partial, "595")], "asked", paid.id
    )
    create = seller.client.adjustments.create
    first = create(part)
    assert (first.status, first.totals.total, first.totals.tax) == ("pending_approval", "595", "95")
    assert seller.refused(create, part).error_code == "adjustment_pending_refund_request"
    seller.double.decide(first.id, approved=True)
    assert seller.client.transactions.get(paid.id).details.adjusted_totals.total == "595"
    above = CreateAdjustment.partial(
        Action.Refund, [CreateAdjustmentItem(line, AdjustmentType.Partial, "596")], "asked", paid.id
    )
    assert seller.refused(create, above).error_code == "adjustment_total_amount_above_remaining_allowed"
    second = create(CreateAdjustment.full(Action.Refund, "the rest", paid.id))
    seller.double.decide(second.id, approved=False)
    third = create(CreateAdjustment.full(Action.Refund, "the rest, again", paid.id))
    listed = seller.client.adjustments.list(ListAdjustments(transaction_ids=[paid.id]))
    by_id = {one.id: (one.status, one.totals.total) for one in listed}
    assert by_id[second.id] == ("rejected", "595")
    assert by_id[third.id] == ("pending_approval", "595")


def test_a_bank_takes_back_and_gives_again(seller: Seller) -> None:
    paid = seller.bought(seller.starter)
    seller.double.dispute(paid.id)
    seller.double.dispute(paid.id, "chargeback_reverse")
    listed = seller.client.adjustments.list(ListAdjustments(transaction_ids=[paid.id]))
    assert sorted((one.action.value, one.status.value, one.totals.total) for one in listed) == [
        ("chargeback", "reversed", "1190"),
        ("chargeback_reverse", "approved", "1190"),
    ]
    assert seller.client.transactions.get(paid.id).details.adjusted_totals.total == "1190"


def test_a_subscription_renews_changes_and_ends(seller: Seller) -> None:
    bought = seller.bought(seller.monthly, "US")
    assert bought.subscription_id is not None
    since = len(seller.happened())
    seller.double.advance(days=32)
    assert seller.happened(since, bought.subscription_id) == [
        "subscription.updated",
        "transaction.created",
        "transaction.billed",
        "transaction.updated",
        "transaction.paid",
        "transaction.updated",
        "transaction.completed",
    ]
    of_it = ListTransactions(subscription_ids=[bought.subscription_id])
    renewal = max(seller.client.transactions.list(of_it), key=lambda one: one.id)
    assert (renewal.origin, renewal.details.totals.total) == ("subscription_recurring", "2000")
    assert renewal.custom_data is not None
    assert renewal.custom_data.data == {"order": "o-1"}
    larger = UpdateSubscription(
        items=[SubscriptionUpdateItem(seller.large, 1)],
        proration_billing_mode=SubscriptionProrationBillingMode.ProratedImmediately,
    )
    changed = seller.client.subscriptions.update(bought.subscription_id, larger)
    assert changed.items[0].price.id == seller.large
    update = max(seller.client.transactions.list(of_it), key=lambda one: one.id)
    totals = update.details.totals
    assert update.origin == "subscription_update"
    assert int(totals.total) - int(totals.credit) == int(totals.grand_total or 0)
    ending = CancelSubscription(SubscriptionEffectiveFrom.NextBillingPeriod)
    cancelled = seller.client.subscriptions.cancel(bought.subscription_id, ending)
    assert (cancelled.status, cancelled.scheduled_change is not None) == ("active", True)
    locked = seller.refused(seller.client.subscriptions.cancel, bought.subscription_id, ending)
    assert locked.error_code == "subscription_locked_pending_changes"
    seller.double.advance(days=32)
    assert seller.client.subscriptions.get(bought.subscription_id).status == "canceled"


def test_a_renewal_that_cannot_be_collected_is_past_due(seller: Seller) -> None:
    bought = seller.bought(seller.monthly)
    assert bought.subscription_id is not None
    seller.double.set(renewals="fail")
    seller.double.advance(days=32)
    seller.double.set(renewals="collect")
    assert seller.client.subscriptions.get(bought.subscription_id).status == "past_due"
    due = seller.client.transactions.list(ListTransactions(statuses=[TransactionStatus.PastDue]))
    assert bought.subscription_id in {one.subscription_id for one in due}


def test_another_payment_method_is_a_transaction_of_nothing(seller: Seller) -> None:
    bought = seller.bought(seller.monthly)
    change = seller.client.subscriptions.get_payment_method_change_transaction(str(bought.subscription_id))
    seller.double.pay(change.id)
    done = seller.client.transactions.get(change.id)
    assert (done.origin, done.status, done.details.totals.total) == (
        "subscription_payment_method_change",
        "completed",
        "0",
    )


def test_a_list_comes_in_pages_and_by_what_changed(seller: Seller) -> None:
    made = [seller.open(seller.starter).id for _ in range(5)]
    first = seller.client.transactions.get(made[0])
    terms = {
        "updated_at": DateComparison(first.updated_at, Comparator.GTE),
        "statuses": [TransactionStatus.Draft],
        "pager": Pager(per_page=2),
    }
    assert [one.id for one in seller.client.transactions.list(ListTransactions(**terms))] == made
    answer = seller.double.api("GET", "/transactions", None, per_page="500")
    assert answer.json()["meta"]["pagination"]["per_page"] == 30
    wrong = seller.double.api("GET", "/adjustments", None, **{"updated_at[GTE]": "2026-01-01T00:00:00Z"})
    assert wrong.status_code == 400


def test_prices_are_found_by_what_they_are_and_withdrawn(seller: Seller) -> None:
    extra = seller.price("300")
    seller.client.prices.update(extra, UpdatePrice(status=Status.Archived))
    active = seller.client.prices.list(ListPrices(statuses=[Status.Active], product_ids=[seller.product]))
    assert extra not in {price.id for price in active}
    wanted = CreateTransaction([TransactionCreateItem(extra, 1)])
    assert seller.refused(seller.client.transactions.create, wanted).response.status_code == 400
    twice = CreateTransaction([TransactionCreateItem(seller.starter, 2)])
    assert seller.refused(seller.client.transactions.create, twice).field_errors[0].field == "items[0].quantity"


def test_a_browser_can_change_what_it_is_about_to_pay(seller: Seller) -> None:
    opened = seller.open(seller.starter)
    items = [{"price_id": seller.starter, "quantity": 2}]
    seller.double.tamper(opened.id, items=items, custom_data={"order": "another"}, currency_code="EUR")
    paid = seller.double.pay(opened.id, country="US")
    assert (paid["items"][0]["quantity"], paid["currency_code"]) == (2, "EUR")
    assert (paid["custom_data"], paid["details"]["totals"]["subtotal"]) == ({"order": "another"}, "1840")


def test_currencies_without_minor_units_and_prices_that_hold_tax(seller: Seller) -> None:
    terms = PreviewPrice(
        items=[PricePreviewItem(seller.starter, 1)],
        currency_code=CurrencyCode.JPY,
        address=AddressPreview(None, CountryCode.JP),
    )
    line = seller.client.pricing_previews.preview_prices(terms).details.line_items[0]
    assert (line.totals.subtotal, line.totals.tax, line.formatted_totals.total) == ("1500", "150", "¥1,650")
    inline = {
        "items": [
            {
                "quantity": 1,
                "price": {
                    "description": "Top-up",
                    "tax_mode": "internal",
                    "unit_price": {"amount": "1190", "currency_code": "EUR"},
                    "product": {"name": "Top-up", "tax_category": "saas"},
                },
            }
        ],
        "address": {"country_code": "DE"},
    }
    before = len(seller.double.state()["prices"])
    totals = seller.double.api("POST", "/transactions/preview", inline).json()["data"]["details"]["totals"]
    assert (totals["subtotal"], totals["tax"], totals["total"]) == ("1000", "190", "1190")
    assert len(seller.double.state()["prices"]) == before


def test_customers_are_found_by_their_address_and_are_one_each(seller: Seller) -> None:
    again = seller.refused(seller.client.customers.create, CreateCustomer("BUYER@shop.example"))
    assert (again.response.status_code, again.error_code) == (409, "customer_already_exists")
    assert seller.customer in again.detail
    listed = seller.client.customers.list(ListCustomers(emails=["buyer@shop.example"]))
    assert [one.id for one in listed] == [seller.customer]


def test_the_portal_and_invoices_open_by_their_links(seller: Seller) -> None:
    bought = seller.bought(seller.monthly)
    wanted = CreateCustomerPortalSession([str(bought.subscription_id)])
    session = seller.client.customer_portal_sessions.create(seller.customer, wanted)
    http = seller.double.http
    assert str(bought.subscription_id) in http.get(session.urls.general.overview).text
    assert http.get(session.urls.general.overview + "x").status_code == 403
    http.post(session.urls.general.overview, data={"cancel": str(bought.subscription_id)})
    assert seller.client.subscriptions.get(str(bought.subscription_id)).status == "canceled"
    pdf = http.get(seller.client.transactions.get_invoice_pdf(bought.id).url)
    assert pdf.content.startswith(b"%PDF")
    assert seller.refused(seller.client.transactions.get_invoice_pdf, seller.open(seller.starter).id)


def test_only_its_keys_are_let_in_and_each_sees_its_own(seller: Seller) -> None:
    double = seller.double
    for header, code in ((None, "missing"), ("Basic x", "malformed"), ("Bearer other", "invalid_token")):
        headers = {} if header is None else {"authorization": header}
        answer = double.http.get(f"{double.url}/products", headers=headers)
        assert (answer.status_code, code in answer.json()["error"]["code"]) == (403, True)
    double.ask("POST", "accounts", {"api_key": "second", "secrets": ["s"]})
    other = double.http.get(f"{double.url}/products/{seller.product}", headers={"authorization": "Bearer second"})
    assert (other.status_code, other.json()["error"]["code"]) == (404, "not_found")


def test_a_checkout_url_of_the_sellers_own_is_on_an_approved_domain(seller: Seller) -> None:
    items = [{"price_id": seller.starter, "quantity": 1}]
    seller.double.set(approved_domains=["pay.shop.example"])
    good = {"items": items, "checkout": {"url": "https://pay.shop.example/pay?lang=de"}}
    opened = seller.double.api("POST", "/transactions", good).json()["data"]
    assert opened["checkout"]["url"] == f"https://pay.shop.example/pay?lang=de&_ptxn={opened['id']}"
    bad = seller.double.api("POST", "/transactions", {"items": items, "checkout": {"url": "https://other.example/"}})
    assert bad.json()["error"]["code"] == "transaction_checkout_url_domain_is_not_approved"
    assert [one["domain"] for one in seller.double.get("/checkout-domains")] == ["pay.shop.example"]
    seller.double.set(approved_domains=None, default_checkout_url=None)
    without = seller.double.api("POST", "/transactions", {"items": items})
    assert without.json()["error"]["code"] == "transaction_default_checkout_url_not_set"
    seller.double.set(default_checkout_url=f"{seller.double.url}/checkout")


def test_the_api_fails_as_it_is_told(seller: Seller) -> None:
    double = seller.double
    double.fault("status", status=429, retry_after=7, match="GET /products")
    limited = double.api("GET", "/products")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "too_many_requests"
    double.fault("html", match="GET /products")
    broken = double.api("GET", "/products")
    assert (broken.status_code, broken.headers["content-type"]) == (502, "text/html")
    double.fault("status", status=500, match="GET /products")
    assert double.api("GET", "/products").json()["error"]["type"] == "api_error"
    before = len(double.state()["transactions"])
    double.fault("lost", match="POST /transactions")
    with pytest.raises(Exception, match=r"(?i)disconnected|reset"):
        double.api("POST", "/transactions", {"items": [{"price_id": seller.starter, "quantity": 1}]})
    assert len(double.state()["transactions"]) == before + 1
    assert double.api("GET", "/products").status_code == 200
    assert [line.get("fault") for line in double.calls("GET", "/products")[-4:]] == ["status", "html", "status", None]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/transactions", {"items": []}),
        ("/transactions", {"items": [{"price_id": 7, "quantity": 1}]}),
        ("/transactions", {"items": [{"price": "x", "quantity": 1}]}),
        ("/prices", {"product_id": "pro_x"}),
        ("/products", {"name": "x", "tax_category": "none"}),
        ("/products", {"name": "", "tax_category": "saas"}),
        ("/adjustments", {"action": "chargeback", "transaction_id": "txn_x", "reason": "x"}),
        ("/customers", {"email": "nobody"}),
        ("/pricing-preview", {"items": [{"price_id": "pri_x", "quantity": 1}]}),
    ],
)
def test_what_does_not_fit_is_refused(seller: Seller, path: str, body: dict[str, Any]) -> None:
    answer = seller.double.api("POST", path, body)
    assert answer.status_code in {400, 404}
    error = answer.json()["error"]
    assert error["documentation_url"].endswith(error["code"])
