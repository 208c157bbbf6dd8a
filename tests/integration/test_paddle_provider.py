"""The provider against the double of Paddle: what it asks for is what the service's own SDK would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from reseller_kit.core.errors import InvalidRequest, ServiceUnavailable
from reseller_kit.core.ids import new_id
from reseller_kit.core.payment import Adjustment, Payment, Subscription
from reseller_kit.payments import Account, CatalogueItem, CatalogueRef, Paddle, Purchase, RefundWanted
from tests.support.paddle_double import PaddleDouble, paddle_double

DOLLARS = 1_000_000_000
KEY = b"k" * 32
PLAN = CatalogueItem(key="plan", title="Plan", price_nano=20 * DOLLARS, period="month")
LARGE = CatalogueItem(key="large", title="Large", price_nano=50 * DOLLARS, period="month")
ONCE = CatalogueItem(key="once", title="Once", price_nano=10 * DOLLARS)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleDouble]:
    with paddle_double(tmp_path_factory.mktemp("double")) as running:
        yield running


@pytest.fixture
async def paddle(double: PaddleDouble) -> AsyncIterator[Paddle]:
    account = Account(api_key=double.api_key, webhook_secret=double.secret, environment=double.url, reference_key=KEY)
    provider = Paddle(account)
    yield provider
    provider.close()


async def item(paddle: Paddle, wanted: CatalogueItem) -> CatalogueRef:
    [ref] = [ref async for _, ref in paddle.synchronise([wanted])]
    return ref


async def bought(paddle: Paddle, double: PaddleDouble, wanted: CatalogueItem) -> tuple[str, str]:
    """(our order, the transaction) of something that was paid in Germany."""
    order = new_id("ord")
    purchase = Purchase(
        reference=order,
        title=wanted.title,
        price_nano=wanted.price_nano or 0,
        email=f"{order.lower()}@shop.example",
        period=wanted.period,
        item=await item(paddle, wanted),
    )
    opened = await paddle.open_checkout(purchase)
    assert opened.provider_ref is not None
    assert opened.pin == paddle.pin(purchase)
    double.pay(opened.provider_ref, country="DE")
    return order, opened.provider_ref


async def test_a_purchase_is_known_by_asking(paddle: Paddle, double: PaddleDouble) -> None:
    order, reference = await bought(paddle, double, ONCE)
    paid = await paddle.fact(reference)
    assert isinstance(paid, Payment)
    assert (paid.status, paid.origin, paid.order_id) == ("completed", "purchase", order)
    assert (paid.subtotal, paid.tax, paid.total, paid.currency) == (1000, 190, 1190, "USD")
    assert paid in [fact async for fact in paddle.facts(paid.occurred_at)]
    assert await paddle.fact("txn_nobody") is None
    assert (await paddle.invoice_url(reference) or "").startswith(double.url)
    assert paid.customer_ref is not None
    assert (await paddle.portal_url(paid.customer_ref)).startswith(double.url)


async def test_refunds_in_parts_and_never_twice(paddle: Paddle, double: PaddleDouble) -> None:
    _, reference = await bought(paddle, double, ONCE)
    part = RefundWanted(reference=new_id("rfd"), payment_ref=reference, reason="goodwill", minor=595)
    first = await paddle.refund(part)
    again = await paddle.refund(part)
    assert first.ref == again.ref
    assert (first.status, first.total, first.currency) == ("pending", 595, "USD")
    double.decide(first.ref, approved=True)
    told = [fact async for fact in paddle.facts(0) if isinstance(fact, Adjustment) and fact.ref == first.ref]
    assert [(fact.status, fact.payment_ref) for fact in told] == [("approved", reference)]
    lost = RefundWanted(reference=new_id("rfd"), payment_ref=reference, reason="goodwill", minor=100)
    double.fault("lost", match="POST /adjustments")
    with pytest.raises(ServiceUnavailable):
        await paddle.refund(lost)
    assert (await paddle.refund(lost)).total == 100
    assert len(double.get("/adjustments", transaction_id=reference)) == 2
    with pytest.raises(InvalidRequest):
        await paddle.refund(RefundWanted(reference=new_id("rfd"), payment_ref=reference, reason="x", minor=5_000))


async def test_a_subscription_is_ended_taken_back_and_changed(paddle: Paddle, double: PaddleDouble) -> None:
    order, reference = await bought(paddle, double, PLAN)
    paid = await paddle.fact(reference)
    assert isinstance(paid, Payment)
    assert paid.subscription_ref is not None
    assert paid.period_ends_at is not None
    ends = await paddle.cancel_subscription(paid.subscription_ref)
    assert ends.cancel_at is not None
    assert (ends.status, ends.order_id) == ("active", order)
    assert (await paddle.resume_subscription(paid.subscription_ref)).cancel_at is None
    larger = Purchase(
        reference=new_id("ord"),
        title="Large",
        price_nano=50 * DOLLARS,
        email="x@shop.example",
        item=await item(paddle, LARGE),
    )
    changed = await paddle.change_subscription(paid.subscription_ref, larger, at_once=False)
    assert larger.item is not None
    assert (changed.price_ref, changed.quantity) == (larger.item.price_ref, 1)
    known = [fact async for fact in paddle.facts(0) if isinstance(fact, Subscription)]
    assert changed.ref in {fact.ref for fact in known}
    with pytest.raises(InvalidRequest):
        await paddle.cancel_subscription("../transactions")


async def test_what_was_withdrawn_is_made_anew(paddle: Paddle) -> None:
    first = await item(paddle, ONCE)
    assert await item(paddle, ONCE) == first
    await paddle.withdraw(first)
    purchase = Purchase(
        reference=new_id("ord"), title="Once", price_nano=10 * DOLLARS, email="y@shop.example", item=first
    )
    with pytest.raises(InvalidRequest):
        await paddle.open_checkout(purchase)
    assert await item(paddle, ONCE) != first


async def test_prices_with_tax_by_country(paddle: Paddle) -> None:
    once = await item(paddle, ONCE)
    purchase = Purchase(reference="", title="Once", price_nano=10 * DOLLARS, email="", item=once)
    german = await paddle.preview(purchase, "DE")
    assert (german.subtotal, german.tax, german.total, german.currency) == (1000, 190, 1190, "USD")
    free = await paddle.preview(Purchase(reference="", title="Top-up", price_nano=7 * DOLLARS, email=""), "DE")
    assert free.total == 833


async def test_the_set_up_can_be_tried(paddle: Paddle, double: PaddleDouble) -> None:
    await paddle.check()
    wrong = Paddle(Account(api_key="wrong", webhook_secret="s", environment=double.url, reference_key=KEY))
    with pytest.raises(InvalidRequest):
        await wrong.check()
    wrong.close()
