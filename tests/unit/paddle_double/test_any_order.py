"""All that the provider tells of a purchase, in any order and as often as it likes, ends in one state."""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cache
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.ids import new_id
from reseller_kit.core.payment import Adjustment, Fact, Payment, Pin
from reseller_kit.core.settlement import Agreed, Known, Target, joined, target
from reseller_kit.payments.paddle import Account as PaddleAccount
from reseller_kit.payments.paddle import Paddle
from reseller_kit.payments.references import signed_order
from scripts._paddle import adjustments, catalogue, collect, transactions
from scripts._paddle.account import Account
from scripts._paddle.api import Call
from scripts._paddle.clock import Clock

SECRET: Final = "pdl_ntfset_any_order"
NOW: Final = 1_790_000_000
KEY: Final = b"k" * 32
ORDER: Final = new_id("ord")
PADDLE: Final = Paddle(PaddleAccount(api_key="key", webhook_secret=SECRET, environment="sandbox", reference_key=KEY))


@cache
def told() -> tuple[Fact, ...]:
    """Facts of a purchase that was declined, paid, refunded in part, charged back and won."""
    account = Account("key", "http://127.0.0.1:1", Clock(), default_checkout_url="http://127.0.0.1:1/checkout")

    def ask(**body: object) -> Call:
        return Call(account, account.root, {}, body)

    product = catalogue.create_product(ask(name="Credits", tax_category="saas")).data["id"]
    unit = {"amount": "1000", "currency_code": "USD"}
    terms = {"product_id": product, "description": "x", "unit_price": unit, "tax_mode": "external"}
    price = catalogue.create_price(ask(**terms)).data["id"]
    items = [{"price_id": price, "quantity": 1}]
    opened = transactions.create(ask(items=items, custom_data={"order": signed_order(KEY, ORDER)})).data
    paid = account.get("transactions", opened["id"])
    collect.decline(account, paid, {"country": "DE"})
    collect.pay(account, paid)
    line = paid["details"]["line_items"][0]["id"]
    part = [{"item_id": line, "type": "partial", "amount": "595"}]
    asked = {"action": "refund", "reason": "asked", "transaction_id": paid["id"], "items": part}
    refund = account.get("adjustments", adjustments.create(ask(**asked)).data["id"])
    adjustments.decide(account, refund, approved=True)
    adjustments.by_bank(account, paid, "chargeback")
    adjustments.by_bank(account, paid, "chargeback_reverse")
    facts = []
    for event in account.events:
        body = json.dumps(event | {"notification_id": "ntf"}).encode()
        signed = hmac.digest(SECRET.encode(), f"{NOW}:".encode() + body, hashlib.sha256).hex()
        delivery = PADDLE.verify(body, {"paddle-signature": f"ts={NOW};h1={signed}"}, NOW * 1_000_000)
        if delivery.fact is not None:
            facts.append(delivery.fact)
    return tuple(facts)


def ends(facts: list[Fact]) -> Target:
    """Where an order ends that hears these facts one after the other."""
    latest: dict[str, Fact] = {}
    for fact in facts:
        known = latest.get(fact.ref)
        latest[fact.ref] = fact if known is None else joined(known, fact)  # type: ignore[type-var]
    payments = [Known(provider="paddle", payment=one) for one in latest.values() if isinstance(one, Payment)]
    gone = [one for one in latest.values() if isinstance(one, Adjustment)]
    price = payments[0].payment.items[0].price_ref
    agreed = Agreed(order_id=ORDER, provider="paddle", pin=Pin(price_ref=price, currency="USD", subtotal=1000))
    return target(agreed, payments, gone)


@given(st.data())
def test_any_order_and_repetition_of_a_purchases_events_ends_in_one_state(data: st.DataObject) -> None:
    facts = list(told())
    assert len(facts) > 12
    shuffled = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=10))))
    end = ends(shuffled)
    assert end == ends(facts)
    assert end.kept is not None
    assert not end.questions


@given(st.data())
def test_what_is_not_known_yet_takes_nothing_back(data: st.DataObject) -> None:
    """Part of the events in any order, then the rest in any order: the end is the same."""
    facts = list(told())
    shuffled = data.draw(st.permutations(facts))
    cut = data.draw(st.integers(0, len(facts)))
    assert ends(shuffled[cut:] + shuffled[:cut] + shuffled) == ends(facts)
