"""Transactions: opened, changed before they are paid, listed, their invoices. `collect` takes the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from scripts._paddle import catalogue, fields, money, totals
from scripts._paddle.account import Account, Draft, Entity, Item
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.errors import Refused, invalid
from scripts._paddle.listing import Listing, by_name

_WORDS: Final = ("id", "status", "customer_id", "subscription_id", "origin", "collection_mode", "invoice_number")
_TRANSACTIONS: Final = Listing(
    words=by_name(*_WORDS),
    moments=("created_at", "updated_at", "billed_at"),
    orders=("id", "created_at", "updated_at", "billed_at"),
    usual=30,
    most=30,
)
OPEN: Final = frozenset({"draft", "ready"})


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Whose transaction it is and where it comes from. `currency` None: the one of its first price."""

    customer_id: str | None = None
    address_id: str | None = None
    currency: str | None = None
    custom_data: dict[str, Any] | None = None
    collection_mode: str = "automatic"
    origin: str = "api"
    subscription_id: str | None = None


def of_subscription(subscription: Entity, origin: str) -> Terms:
    """The terms of a transaction that a subscription causes."""
    return Terms(
        customer_id=subscription["customer_id"],
        address_id=subscription["address_id"],
        currency=subscription["currency_code"],
        custom_data=subscription["custom_data"],
        origin=origin,
        subscription_id=subscription["id"],
    )


def create(call: Call) -> Reply:
    """POST /transactions."""
    account, body = call.account, call.body
    items = items_of(account, body)
    customer_id = fields.optional_text(body, "customer_id")
    address_id = fields.optional_text(body, "address_id")
    for kind, identifier in (("customers", customer_id), ("addresses", address_id)):
        if identifier is not None:
            account.get(kind, identifier)
    transaction = begin(
        account,
        items,
        Terms(
            customer_id=customer_id,
            address_id=address_id,
            currency=fields.currency(body["currency_code"]) if body.get("currency_code") else None,
            custom_data=fields.custom_data(body),
            collection_mode=fields.choice(body, "collection_mode", {"automatic", "manual"}, "automatic"),
        ),
        checkout_url=_checkout_url(account, body),
    )
    if fields.choice(body, "status", {"draft", "ready", "billed"}, "draft") == "billed":
        bill(account, transaction)
    return Reply(show(call, transaction), 201)


def begin(
    account: Account,
    items: Sequence[Item],
    terms: Terms,
    *,
    checkout_url: str | None = None,
    billing_period: Entity | None = None,
    credit: int = 0,
    billed: bool = False,
) -> Entity:
    """A transaction that is draft, or ready where customer and address are known, or `billed` from the start."""
    identifier, now = account.clock.new_id("txn"), account.clock.text()
    ready = terms.customer_id is not None and terms.address_id is not None
    country = _country(account, terms.address_id)
    transaction: Entity = {
        "id": identifier,
        "status": "billed" if billed else "ready" if ready else "draft",
        "customer_id": terms.customer_id,
        "address_id": terms.address_id,
        "business_id": None,
        "custom_data": terms.custom_data,
        "currency_code": terms.currency or totals.usual_currency(items[0].price, country),
        "origin": terms.origin,
        "subscription_id": terms.subscription_id,
        "invoice_id": None,
        "invoice_number": None,
        "collection_mode": terms.collection_mode,
        "discount_id": None,
        "billing_details": None,
        "billing_period": billing_period,
        "items": [],
        "details": {},
        "payments": [],
        "checkout": {"url": _payment_link(account, identifier, checkout_url)},
        "created_at": now,
        "updated_at": now,
        "billed_at": now if billed else None,
        "revised_at": None,
    }
    account.drafts[identifier] = Draft(list(items), credit)
    account.put("transactions", transaction)
    work_out(account, transaction)
    account.emit("transaction.created", transaction)
    if billed or ready:
        account.emit("transaction.billed" if billed else "transaction.ready", transaction)
    return transaction


def work_out(account: Account, transaction: Entity, *, completed: bool = False) -> None:
    """Fill in items and details from what the transaction was made from and where its customer lives."""
    draft, currency = account.drafts[transaction["id"]], transaction["currency_code"]
    country = _country(account, transaction["address_id"])
    lines = [
        totals.Line(
            item.price,
            item.product,
            item.quantity,
            totals.unit_amount(item.price, currency, country),
            money.tax_rate(country),
            totals.is_inclusive(account, item.price),
            item.line_id,
            item.proration,
        )
        for item in draft.items
    ]
    transaction["items"] = [
        {"price": item.price, "quantity": item.quantity, "proration": item.proration} for item in draft.items
    ]
    transaction["details"] = totals.details(account, lines, currency, credit=draft.credit, completed=completed)


def items_of(account: Account, body: Mapping[str, Any]) -> list[Item]:
    """The lines that a request asks for: prices of the catalogue, or prices made for this alone. Raises Refused."""
    found = []
    for place, item in enumerate(fields.objects(body, "items")):
        where = f"items[{place}]."
        price, product = _price(account, item, where)
        if price["status"] != "active":
            raise Refused(400, "transaction_price_not_active", "The price is not active.", area="transactions")
        limits = price["quantity"]
        quantity = fields.count(item.get("quantity"), f"{where}quantity", low=limits["minimum"], high=limits["maximum"])
        found.append(Item(price, product, quantity, account.clock.new_id("txnitm")))
    return found


def _price(account: Account, item: Mapping[str, Any], where: str) -> tuple[Entity, Entity]:
    inline = item.get("price")
    if inline is None:
        price = account.get("prices", fields.text(item, "price_id", where=where))
        return price, account.get("products", price["product_id"])
    if not isinstance(inline, dict):
        raise invalid(f"{where}price", "must be an object")
    if isinstance(inline.get("product"), dict):
        product = catalogue.new_product(account, inline["product"], kind="custom")
    else:
        product = account.get("products", fields.text(inline, "product_id", where=f"{where}price."))
    return catalogue.new_price(account, inline, product, kind="custom", where=f"{where}price."), product


def update(call: Call, identifier: str) -> Reply:
    """PATCH /transactions/{id}: before it is paid or billed."""
    account, body = call.account, call.body
    transaction = account.get("transactions", identifier)
    if body.get("status") == "canceled" and transaction["status"] in OPEN | {"billed", "past_due"}:
        cancel(account, transaction)
        return Reply(show(call, transaction))
    if transaction["status"] not in OPEN:
        detail = "This transaction cannot be changed: it is billed, paid, completed or canceled."
        raise Refused(400, "transaction_immutable", detail, area="transactions")
    if "checkout" in body:
        transaction["checkout"] = {"url": _payment_link(account, identifier, _checkout_url(account, body))}
    change(account, transaction, body)
    if body.get("status") == "billed":
        bill(account, transaction)
    return Reply(show(call, transaction))


def change(account: Account, transaction: Entity, body: Mapping[str, Any]) -> None:
    """Change what a transaction is for, or for whom; also what a browser can do before it pays. Raises Refused."""
    if "items" in body:
        account.drafts[transaction["id"]].items = items_of(account, body)
    if "custom_data" in body:
        transaction["custom_data"] = fields.custom_data(body)
    if body.get("currency_code"):
        transaction["currency_code"] = fields.currency(body["currency_code"])
    for name, kind in (("customer_id", "customers"), ("address_id", "addresses"), ("business_id", "businesses")):
        if name in body:
            identifier = fields.optional_text(body, name)
            transaction[name] = None if identifier is None else account.get(kind, identifier)["id"]
    was, known = transaction["status"], transaction["customer_id"] and transaction["address_id"]
    transaction["status"] = "ready" if known else "draft"
    work_out(account, transaction)
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    if was != "ready" and transaction["status"] == "ready":
        account.emit("transaction.ready", transaction)


def bill(account: Account, transaction: Entity) -> None:
    """Make it a debt that can no longer be changed."""
    if transaction["status"] != "ready":
        detail = "Customer and address have to be known before a transaction is billed."
        raise Refused(400, "transaction_status_must_be_ready", detail, area="transactions")
    transaction["status"], transaction["billed_at"] = "billed", account.clock.text()
    number_invoice(account, transaction)
    account.touch(transaction)
    account.emit("transaction.billed", transaction)
    account.emit("transaction.updated", transaction)


def cancel(account: Account, transaction: Entity) -> None:
    """Nobody will pay it."""
    transaction["status"] = "canceled"
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    account.emit("transaction.canceled", transaction)


def number_invoice(account: Account, transaction: Entity) -> None:
    """Give it an invoice, once."""
    if transaction["invoice_id"] is None:
        account.invoices += 1
        transaction["invoice_id"] = account.clock.new_id("inv")
        transaction["invoice_number"] = f"325-{account.invoices}"


def get(call: Call, identifier: str) -> Reply:
    """GET /transactions/{id}."""
    return Reply(show(call, call.account.get("transactions", identifier)))


def list_all(call: Call) -> Reply:
    """GET /transactions."""
    return listed(call, "transactions", _TRANSACTIONS, show)


def get_invoice(call: Call, identifier: str) -> Reply:
    """GET /transactions/{id}/invoice: a link to the PDF that works for an hour."""
    transaction = call.account.get("transactions", identifier)
    if transaction["status"] not in {"billed", "paid", "completed", "past_due"} or not transaction["invoice_id"]:
        detail = "The invoice of a transaction is available once it is billed or completed."
        raise Refused(400, "transaction_not_completed", detail, area="transactions")
    name = f"invoice_{transaction['invoice_number']}.pdf"
    return Reply({"url": f"{call.account.root}/invoices/{transaction['invoice_id']}/{name}"})


def show(call: Call, transaction: Entity) -> Entity:
    """What the API shows of a transaction."""
    tables, found = call.account.tables, dict(transaction)
    adjustments = [one for one in tables["adjustments"].values() if one["transaction_id"] == transaction["id"]]
    if "adjustment" in call.includes or "adjustments" in call.includes:
        found["adjustments"] = adjustments
    for name, kind in (("customer", "customers"), ("address", "addresses"), ("business", "businesses")):
        if name in call.includes:
            found[name] = tables[kind].get(transaction[f"{name}_id"] or "")
    if "available_payment_methods" in call.includes:
        found["available_payment_methods"] = ["card"]
    return found


def _country(account: Account, address_id: str | None) -> str | None:
    return None if address_id is None else str(account.get("addresses", address_id)["country_code"])


def _checkout_url(account: Account, body: Mapping[str, Any]) -> str | None:
    checkout = body.get("checkout")
    if checkout is None:
        return None
    if not isinstance(checkout, dict):
        raise invalid("checkout", "must be an object")
    url = fields.optional_text(checkout, "url")
    if url is None or account.approved_domains is None or urlsplit(url).hostname in account.approved_domains:
        return url
    detail = "The value you passed for `checkout.url` does not contain a domain that has been approved by Paddle"
    raise Refused(400, "transaction_checkout_url_domain_is_not_approved", detail, area="transactions")


def _payment_link(account: Account, identifier: str, url: str | None) -> str:
    base = url or account.default_checkout_url
    if base is None:
        detail = "A default payment link has to be set in the checkout settings first."
        raise Refused(400, "transaction_default_checkout_url_not_set", detail, area="transactions")
    return f"{base}{'&' if '?' in base else '?'}_ptxn={identifier}"
