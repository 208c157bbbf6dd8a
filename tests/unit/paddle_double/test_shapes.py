"""What the double tells has the form of the provider's published examples: every member, of the same kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from scripts._paddle import adjustments, alterations, catalogue, collect, renewals, transactions
from scripts._paddle.account import Account
from scripts._paddle.api import Call
from scripts._paddle.clock import Clock

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "paddle"
NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.json"))
DAY_US: Final = 86_400_000_000


def call(account: Account, **body: Any) -> Call:
    return Call(account, account.root, {}, body)


@cache
def happened() -> tuple[dict[str, Any], ...]:
    """Events of an account in which everything happens once."""
    account = Account("key", "http://127.0.0.1:1", Clock(), default_checkout_url="http://127.0.0.1:1/checkout")
    product = catalogue.create_product(call(account, name="Credits", tax_category="saas")).data["id"]
    terms = {"product_id": product, "description": "x", "unit_price": {"amount": "1000", "currency_code": "USD"}}
    cycle = {"interval": "month", "frequency": 1}
    once = catalogue.create_price(call(account, **terms)).data["id"]
    monthly = catalogue.create_price(call(account, **terms, billing_cycle=cycle)).data["id"]

    def opened(price: str) -> Any:
        items = [{"price_id": price, "quantity": 1}]
        return transactions.create(call(account, items=items, custom_data={"order": "o"})).data

    buyer = {"country": "DE", "email": "a@shop.example"}
    paid = account.get("transactions", opened(once)["id"])
    collect.decline(account, paid, buyer)
    collect.pay(account, paid)
    line = paid["details"]["line_items"][0]["id"]
    part = [{"item_id": line, "type": "partial", "amount": "595"}]
    wanted = {"action": "refund", "reason": "asked", "transaction_id": paid["id"], "type": "partial", "items": part}
    refund = account.get("adjustments", adjustments.create(call(account, **wanted)).data["id"])
    adjustments.decide(account, refund, approved=True)
    adjustments.by_bank(account, paid, "chargeback")
    adjustments.by_bank(account, paid, "chargeback_reverse")
    transactions.update(call(account, status="canceled"), opened(once)["id"])
    collect.pay(account, account.get("transactions", opened(monthly)["id"]), buyer)
    (subscription,) = account.tables["subscriptions"].values()
    account.renewals = "fail"
    renewals.advance_to(account, account.clock.now() + 32 * DAY_US)
    account.renewals = "collect"
    alterations.pause(call(account, effective_from="immediately"), subscription["id"])
    alterations.resume(call(account), subscription["id"])
    alterations.cancel(call(account), subscription["id"])
    renewals.advance_to(account, account.clock.now() + 32 * DAY_US)
    return tuple(account.events)


def differences(example: Any, told: Any, where: str) -> Iterator[str]:
    """Where what is told lacks a member of the example, or has another kind of value there."""
    if example is None or told is None:
        return
    if isinstance(example, Mapping):
        if not isinstance(told, Mapping):
            yield f"{where} is no object"
            return
        free = where.endswith(".custom_data")
        for name in () if free else example:
            if name in told:
                yield from differences(example[name], told[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is missing"
    elif isinstance(example, list):
        if not isinstance(told, list):
            yield f"{where} is no list"
        elif example and told:
            yield from differences(example[0], told[0], f"{where}[]")
    elif type(example) is not type(told):
        yield f"{where} is {type(told).__name__}, not {type(example).__name__}"


@pytest.mark.parametrize("name", NAMES)
def test_each_event_has_the_members_of_the_example(name: str) -> None:
    example = json.loads((FOLDER / f"{name}.json").read_text())["event"]
    action = example["data"].get("action")
    told = [
        event | {"notification_id": "ntf"}
        for event in happened()
        if event["event_type"] == example["event_type"] and event["data"].get("action") == action
    ]
    # The kind of change that an example shows is one of those that this event can tell.
    found = [list(differences(example, event, "")) for event in told]
    assert [] in found, f"of {len(told)} events the nearest lacks {min(found, key=len, default=['everything'])}"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("transaction.")])
def test_what_is_null_in_an_example_is_null_here(name: str) -> None:
    """Fee, invoice and subscription are not known before they are: whoever reads them too early finds nothing."""
    example = json.loads((FOLDER / f"{name}.json").read_text())["event"]["data"]
    told = [event["data"] for event in happened() if event["event_type"] == name]
    same = [one for one in told if (one["status"], one["origin"]) == (example["status"], example["origin"])]
    assert same
    for member in ("invoice_id", "invoice_number", "billed_at"):
        assert {one[member] is None for one in same} == {example[member] is None}, member
    assert {one["details"]["totals"]["fee"] is None for one in same} == {example["details"]["totals"]["fee"] is None}
