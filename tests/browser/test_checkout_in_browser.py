"""A purchase in Chromium: from the offer over the provider's checkout back to the order, which is paid by then."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.support.paid_shop import BILLING, Buyer, PaidShop, paid_shop
from tests.support.product import LITERALS

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidShop]:
    with paid_shop(tmp_path_factory.mktemp("paid")) as opened:
        yield opened


@pytest.mark.parametrize(("slug", "overlay"), [("solaria", False), ("lunaris", True)])
async def test_a_customer_buys_pays_and_sees_the_order_paid(
    browser: Browser, paid: PaidShop, slug: str, *, overlay: bool
) -> None:
    buyer = Buyer(paid, slug)
    origin = f"http://{LITERALS[slug]}:{paid.shop.server.port}"
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    for name, value in buyer.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin}])
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(origin + BILLING)
    await page.get_by_role("button", name="Buy").first.click()
    await page.get_by_role("checkbox", name="accept").check()
    await page.get_by_role("button", name="Buy").click()
    checkout = page.frame_locator("iframe[title=Checkout]") if overlay else page
    await checkout.get_by_label("Country").fill("DE")
    await checkout.get_by_role("button", name="Pay with declined card").click()
    await expect(checkout.get_by_role("alert")).to_contain_text("declined", timeout=PATIENCE_MS)
    await checkout.get_by_role("button", name="Pay", exact=True).click()
    if overlay:
        await page.wait_for_url(re.compile(r"/orders/ord_\w+(\?returned=1)?$"))
    else:
        await expect(checkout.get_by_role("heading", name="Payment received")).to_be_visible(timeout=PATIENCE_MS)
        # As the customer would by the link in a mail; the page looks again by itself until the payment is known.
        await page.goto(f"{origin}{BILLING}/orders/{buyer.orders()[0]['id']}?returned=1")
    await expect(page.get_by_text("Credit added").first).to_be_visible(timeout=PATIENCE_MS)
    assert buyer.balance() == "12.00"
    assert complaints == []
    await context.close()
