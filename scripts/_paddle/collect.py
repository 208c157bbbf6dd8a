"""Takes the money for a transaction, or fails to: attempts, the paid and the completed state, and their events."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from scripts._paddle import customers, subscriptions, transactions
from scripts._paddle.account import Account, Entity
from scripts._paddle.errors import Refused


def know_customer(account: Account, transaction: Entity, buyer: Mapping[str, Any]) -> None:
    """What somebody types into a checkout: `email` and `country`, where the transaction does not know them."""
    changed: dict[str, Any] = {}
    customer_id = transaction["customer_id"]
    if customer_id is None:
        email = str(buyer.get("email") or "buyer@example.com")
        same = [one for one in account.tables["customers"].values() if one["email"].lower() == email.lower()]
        customer_id = (same[0] if same else customers.new_customer(account, email, {}))["id"]
        changed["customer_id"] = customer_id
    if transaction["address_id"] is None:
        country = str(buyer.get("country") or "US")
        changed["address_id"] = customers.new_address(account, customer_id, {"country_code": country})["id"]
    if changed and transaction["status"] in transactions.OPEN:
        transactions.change(account, transaction, changed)


def pay(account: Account, transaction: Entity, buyer: Mapping[str, Any] | None = None) -> None:
    """A good card: paid, then completed, with a subscription for what renews. Raises Refused."""
    _require_payable(transaction)
    know_customer(account, transaction, buyer or {})
    mark_paid(account, transaction)
    subscriptions.begin_for(account, transaction)
    complete(account, transaction)


def decline(account: Account, transaction: Entity, buyer: Mapping[str, Any] | None = None) -> None:
    """A card that the bank declines: the attempt stays on the transaction, which can still be paid. Raises Refused."""
    _require_payable(transaction)
    know_customer(account, transaction, buyer or {})
    note_failure(account, transaction)


def note_failure(account: Account, transaction: Entity) -> None:
    """An attempt that failed, and its event."""
    transaction["payments"].insert(0, _attempt(account, transaction, "error", "declined", "0002"))
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    account.emit("transaction.payment_failed", transaction)


def mark_paid(account: Account, transaction: Entity) -> None:
    """The money is captured; fee, payout and invoice are not known yet."""
    transaction["payments"].insert(0, _attempt(account, transaction, "captured", None, "4242"))
    transaction["status"], transaction["details"]["totals"]["balance"] = "paid", "0"
    transaction["billed_at"] = transaction["billed_at"] or account.clock.text()
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    account.emit("transaction.paid", transaction)


def complete(account: Account, transaction: Entity) -> None:
    """The service is done with it."""
    transactions.number_invoice(account, transaction)
    transaction["status"] = "completed"
    transactions.work_out(account, transaction, completed=True)
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    account.emit("transaction.completed", transaction)


def _attempt(account: Account, transaction: Entity, status: str, error: str | None, last4: str) -> Entity:
    now = account.clock.text()
    card = {"type": "visa", "last4": last4, "expiry_month": 1, "expiry_year": 2031, "cardholder_name": "Test Buyer"}
    return {
        "payment_attempt_id": str(uuid.uuid4()),
        "stored_payment_method_id": str(uuid.uuid4()),
        "payment_method_id": account.clock.new_id("paymtd"),
        "amount": transaction["details"]["totals"]["grand_total"],
        "status": status,
        "error_code": error,
        "method_details": {"type": "card", "card": card, "underlying_details": None},
        "created_at": now,
        "captured_at": now if status == "captured" else None,
    }


def _require_payable(transaction: Entity) -> None:
    if transaction["status"] not in {"draft", "ready", "billed", "past_due"}:
        detail = f"A transaction that is {transaction['status']} cannot be paid."
        raise Refused(409, "conflict", detail)
