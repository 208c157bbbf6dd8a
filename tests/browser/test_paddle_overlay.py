"""The checkout over our own page in a real browser: under its policy, and back to the order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.support.paddle_shop import Customer, PaddleShop, paddle_shop


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleShop]:
    with paddle_shop(tmp_path_factory.mktemp("overlay")) as running:
        yield running


async def log_in(page: Page, customer: Customer, origin: str) -> None:
    """The browser goes on with the session that the customer has."""
    jar = customer.http.cookies.jar
    await page.context.add_cookies([{"name": one.name, "value": one.value or "", "url": origin} for one in jar])


async def test_pay_over_the_page_and_see_the_credit_arrive(paid: PaddleShop, page: Page) -> None:
    lee = await asyncio.to_thread(Customer, paid.shop, "lunaris")
    origin = f"http://127.0.0.3:{paid.shop.server.port}"
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await log_in(page, lee, origin)
    await page.goto(f"{origin}/account/billing/buy?package=moonbeam")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Buy").click()
    checkout = page.frame_locator("iframe")
    await expect(checkout.get_by_text("Moonbeam")).to_be_visible()
    await checkout.get_by_role("button", name="Pay", exact=True).click()
    # The order's page asks on its own; nothing is clicked any more.
    await expect(page.get_by_text("the credit is in your account").first).to_be_visible(timeout=60_000)
    assert not [fault for fault in faults if "Content Security Policy" in fault]


async def test_buy_leads_to_the_hosted_page_and_back(paid: PaddleShop, page: Page) -> None:
    kim = await asyncio.to_thread(Customer, paid.shop)
    origin = f"http://127.0.0.2:{paid.shop.server.port}"
    await log_in(page, kim, origin)
    await page.goto(f"{origin}/account/billing/buy?package=sunbeam")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Buy").click()
    await page.get_by_role("button", name="Pay and close").click()
    await expect(page.get_by_text("was paid")).to_be_visible()
    orders = await asyncio.to_thread(kim.orders)
    await page.goto(f"{origin}/account/billing/orders/{orders[0]['id']}")
    await expect(page.get_by_text("the credit is in your account").first).to_be_visible(timeout=60_000)
