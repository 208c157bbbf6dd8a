"""Money that goes back: refunds that wait for approval, credits, and the disputes that banks open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scripts._paddle import fields, money, totals
from scripts._paddle.account import Account, Entity
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.errors import Refused, invalid
from scripts._paddle.listing import Listing, by_name

_WORDS: Final = ("id", "status", "customer_id", "transaction_id", "subscription_id", "action")
_ADJUSTMENTS: Final = Listing(words=by_name(*_WORDS))
_BY_REQUEST: Final = frozenset({"refund", "credit"})
_REVERSALS: Final = {"chargeback_reverse": "chargeback", "chargeback_warning_reverse": "chargeback_warning"}
BY_BANKS: Final = frozenset({"chargeback", "chargeback_warning", *_REVERSALS})
_CHARGEBACK_FEE_CENTS: Final = 1500


def create(call: Call) -> Reply:
    """POST /adjustments: a refund or a credit."""
    account, body = call.account, call.body
    action = fields.choice(body, "action", _BY_REQUEST)
    reason = fields.text(body, "reason")
    transaction = account.get("transactions", fields.text(body, "transaction_id"))
    _require_adjustable(account, transaction)
    whole = fields.choice(body, "type", {"full", "partial"}, "partial") == "full"
    lines = _whole(account, transaction) if whole else _parts(account, transaction, body)
    adjustment = add(account, transaction, action, reason, lines, whole=whole)
    if action == "refund" and account.refunds != "pending":
        decide(account, adjustment, approved=account.refunds == "approve")
    return Reply(adjustment, 201)


def add(
    account: Account,
    transaction: Entity,
    action: str,
    reason: str,
    lines: list[tuple[Entity, int]],
    *,
    whole: bool,
) -> Entity:
    """An adjustment of lines, each with its gross amount; its event. A refund waits for approval, others do not."""
    now = account.clock.text()
    items = [_item(account, line, gross, whole=whole) for line, gross in lines]
    summed = {part: sum(int(item["totals"][part]) for item in items) for part in ("subtotal", "tax", "total")}
    currency = transaction["currency_code"]
    adjustment: Entity = {
        "id": account.clock.new_id("adj"),
        "action": action,
        "type": "full" if whole else "partial",
        "transaction_id": transaction["id"],
        "subscription_id": transaction["subscription_id"],
        "customer_id": transaction["customer_id"],
        "reason": reason,
        "credit_applied_to_balance": False if action == "credit" else None,
        "currency_code": currency,
        "status": "pending_approval" if action == "refund" else "approved",
        "items": items,
        "totals": _totals(summed, transaction, currency),
        "payout_totals": _payout(account, summed, transaction, action),
        "tax_rates_used": [
            {"tax_rate": lines[0][0]["tax_rate"], "totals": {part: str(found) for part, found in summed.items()}}
        ],
        "created_at": now,
        "updated_at": now,
    }
    account.put("adjustments", adjustment)
    account.emit("adjustment.created", adjustment)
    _carry_over(account, transaction)
    return adjustment


def decide(account: Account, adjustment: Entity, *, approved: bool) -> None:
    """What becomes of a refund that waits. Raises Refused for one that does not."""
    if adjustment["status"] != "pending_approval":
        raise Refused(409, "conflict", f"The adjustment is {adjustment['status']} already.")
    adjustment["status"] = "approved" if approved else "rejected"
    account.touch(adjustment)
    account.emit("adjustment.updated", adjustment)
    _carry_over(account, account.get("transactions", adjustment["transaction_id"]))


def by_bank(account: Account, transaction: Entity, action: str, gross: int | None = None) -> Entity:
    """A dispute: for all that is left, or `gross` of it; or the end of one in the seller's favour. Raises Refused."""
    if action in _REVERSALS:
        return _reverse(account, transaction, action)
    left = _whole(account, transaction)
    if gross is not None:
        left = [(left[0][0], min(gross, left[0][1]))]
    return add(account, transaction, action, "The customer disputed the payment.", left, whole=gross is None)


def list_all(call: Call) -> Reply:
    """GET /adjustments: no filter by time, as at the service."""
    return listed(call, "adjustments", _ADJUSTMENTS, lambda _, adjustment: adjustment)


def get_credit_note(call: Call, identifier: str) -> Reply:
    """GET /adjustments/{id}/credit-note."""
    adjustment = call.account.get("adjustments", identifier)
    return Reply({"url": f"{call.account.root}/invoices/{adjustment['id']}/credit_note.pdf"})


def _reverse(account: Account, transaction: Entity, action: str) -> Entity:
    open_ones = [
        one
        for one in account.tables["adjustments"].values()
        if one["transaction_id"] == transaction["id"]
        and one["action"] == _REVERSALS[action]
        and one["status"] == "approved"
    ]
    if not open_ones:
        raise Refused(409, "conflict", f"There is no {_REVERSALS[action]} to reverse.")
    disputed = open_ones[-1]
    by_id = {line["id"]: line for line in transaction["details"]["line_items"]}
    lines = [(by_id[item["item_id"]], int(item["totals"]["total"])) for item in disputed["items"]]
    disputed["status"] = "reversed"
    account.touch(disputed)
    account.emit("adjustment.updated", disputed)
    whole = disputed["type"] == "full"
    return add(account, transaction, action, "The dispute was decided for the seller.", lines, whole=whole)


def _require_adjustable(account: Account, transaction: Entity) -> None:
    if transaction["status"] not in {"completed", "billed", "past_due"}:
        detail = f"A transaction that is {transaction['status']} cannot be adjusted."
        raise Refused(400, "adjustment_transaction_invalid_status", detail, area="adjustments")
    waiting = [one for one in _of(account, transaction) if one["status"] == "pending_approval"]
    if waiting:
        detail = (
            "You are unable to create further adjustments against this transaction as there is a pending refund request"
        )
        raise Refused(400, "adjustment_pending_refund_request", detail, area="adjustments")


def _of(account: Account, transaction: Entity) -> list[Entity]:
    """What was taken off a transaction, or will be if it is approved."""
    return [
        one
        for one in account.tables["adjustments"].values()
        if one["transaction_id"] == transaction["id"]
        and one["status"] not in {"rejected", "reversed"}
        and one["action"] in {"refund", "credit", "chargeback"}
    ]


def _left(account: Account, transaction: Entity, line: Entity) -> int:
    taken = sum(
        int(item["totals"]["total"])
        for one in _of(account, transaction)
        for item in one["items"]
        if item["item_id"] == line["id"]
    )
    return int(line["totals"]["total"]) - taken


def _whole(account: Account, transaction: Entity) -> list[tuple[Entity, int]]:
    lines = [(line, _left(account, transaction, line)) for line in transaction["details"]["line_items"]]
    found = [(line, left) for line, left in lines if left > 0]
    if not found:
        raise _above(1, 0)
    return found


def _parts(account: Account, transaction: Entity, body: Mapping[str, Any]) -> list[tuple[Entity, int]]:
    by_id = {line["id"]: line for line in transaction["details"]["line_items"]}
    external = fields.choice(body, "tax_mode", {"internal", "external"}, "internal") == "external"
    found = []
    for place, item in enumerate(fields.objects(body, "items")):
        where = f"items[{place}]."
        line = by_id.get(fields.text(item, "item_id", where=where))
        if line is None:
            raise invalid(f"{where}item_id", "is not an item of this transaction")
        left = _left(account, transaction, line)
        if fields.choice(item, "type", {"full", "partial"}) == "full":
            gross = left
        else:
            gross = fields.amount(item.get("amount"), f"{where}amount")
            gross += money.split(gross, line["tax_rate"], inclusive=False)[1] if external else 0
        if not 0 < gross <= left:
            raise _above(gross, left)
        found.append((line, gross))
    return found


def _above(gross: int, left: int) -> Refused:
    detail = (
        f"The adjustment amount exceeds the total amount left to adjust. Amount to Adjust: {gross}, Amount Left: {left}"
    )
    return Refused(400, "adjustment_total_amount_above_remaining_allowed", detail, area="adjustments")


def _item(account: Account, line: Entity, gross: int, *, whole: bool) -> Entity:
    total, tax = int(line["totals"]["total"]), int(line["totals"]["tax"])
    part = (tax * gross * 2 + total) // (2 * total) if total else 0
    return {
        "id": account.clock.new_id("adjitm"),
        "item_id": line["id"],
        "type": "full" if whole or gross == total else "partial",
        "amount": str(gross),
        "proration": None,
        "totals": {"subtotal": str(gross - part), "tax": str(part), "total": str(gross)},
    }


def _totals(summed: Mapping[str, int], transaction: Entity, currency: str) -> Entity:
    of_transaction = transaction["details"]["totals"]
    grand = int(of_transaction["grand_total"])
    kept = int(of_transaction["fee"] or 0) * summed["total"] // grand if grand else 0
    return {part: str(found) for part, found in summed.items()} | {
        "fee": str(kept),
        "retained_fee": "0",
        "earnings": str(summed["subtotal"] - kept),
        "currency_code": currency,
    }


def _payout(account: Account, summed: Mapping[str, int], transaction: Entity, action: str) -> Entity:
    source, target = transaction["currency_code"], account.payout_currency
    found = _totals(summed, transaction, target)
    for part in ("subtotal", "tax", "total", "fee", "earnings"):
        found[part] = str(money.converted(int(found[part]), source, target))
    fee = money.converted(_CHARGEBACK_FEE_CENTS, "USD", target) if action == "chargeback" else 0
    return found | {"chargeback_fee": {"amount": str(fee), "original": None}}


def _carry_over(account: Account, transaction: Entity) -> None:
    """Tell the transaction what is left of it."""
    approved = [one for one in _of(account, transaction) if one["status"] == "approved"]
    gross = sum(int(one["totals"]["total"]) for one in approved)
    tax = sum(int(one["totals"]["tax"]) for one in approved)
    details = transaction["details"]
    was = details["adjusted_totals"]
    details["adjusted_totals"] = totals.adjusted(details["totals"], gross, tax)
    if was != details["adjusted_totals"]:
        account.touch(transaction)
        account.emit("transaction.updated", transaction)
