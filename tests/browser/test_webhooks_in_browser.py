"""The console's pages of webhooks in Chromium: made, failed, looked into; accessible and within a phone's width."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.support.browsing import violations_in_both_schemes
from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOTS: Final = os.environ.get("WEBHOOK_SHOTS")


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Colleague:
    return colleague(shop, "solaria", "owner")


async def _look(page: Page, name: str) -> None:
    """The page as it stands has no fault, in both schemes and at both widths."""
    assert await violations_in_both_schemes(page) == [], name
    for width, size in (("390", PHONE), ("1440", DESKTOP)):
        await page.set_viewport_size(size)
        assert await page.evaluate(_SIDEWAYS) <= 0, name
        for scheme in ("light", "dark") if SHOTS else ():
            await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            await page.screenshot(path=Path(str(SHOTS)) / f"{name}-{width}-{scheme}.png", full_page=True)


async def test_an_endpoint_is_made_and_its_failures_are_seen(shop: Shop, owner: Colleague, browser: Browser) -> None:
    origin = f"http://{LITERALS['solaria']}:{shop.server.port}"
    context = await browser.new_context(viewport=DESKTOP)
    for name, value in owner.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin}])
    page = await context.new_page()
    await page.goto(f"{origin}/console/webhooks")
    await _look(page, "empty")
    await page.get_by_label("URL").fill("http://crm.invalid/hook")
    await page.get_by_role("button", name="Add endpoint").click()
    await expect(page.get_by_role("alert").first).to_contain_text("https")
    await page.get_by_label("URL").fill("https://crm.invalid/hook?source=storefront-with-a-rather-long-name")
    await page.get_by_label("Description").fill("CRM")
    await page.get_by_role("button", name="Add endpoint").click()
    await expect(page.locator("[data-secret]")).to_contain_text("whsec_")
    await _look(page, "made")
    await page.get_by_role("button", name="Send test event").click()
    await expect(page.get_by_role("status").first).to_contain_text("on its way")
    for _ in range(40):
        await page.reload()
        await page.locator("summary", has_text="test").first.click()
        if await page.get_by_text("leads nowhere").count():
            break
        await page.wait_for_timeout(250)
    await expect(page.get_by_text("leads nowhere").first).to_be_visible()
    await _look(page, "log")
    await page.goto(f"{origin}/console/webhooks")
    await _look(page, "list")
    await page.get_by_role("link", name="crm.invalid").first.click()
    await page.get_by_role("button", name="Remove").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status").first).to_contain_text("The endpoint is removed.")
    await context.close()
