"""The console's pages of webhooks in Chromium: made, failed, looked into; accessible and within a phone's width."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Shop, open_shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOTS: Final = os.environ.get("WEBHOOK_SHOTS")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("webhook-shop"), None) as opened:
        yield opened


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Colleague:
    return colleague(shop, "solaria", "owner")


async def _look(page: Page, name: str, scheme: str) -> None:
    """The page as it stands has no fault, at both widths."""
    results = await Axe().run(page)
    assert [f"{found['id']}: {found['nodes'][0]['html'][:200]}" for found in results.response["violations"]] == []
    for width, size in (("390", PHONE), ("1440", DESKTOP)):
        await page.set_viewport_size(size)
        assert await page.evaluate(_SIDEWAYS) <= 0, name
        if SHOTS:
            await page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_endpoint_is_made_and_its_failures_are_seen(
    shop: Shop, owner: Colleague, browser: Browser, scheme: str
) -> None:
    origin = f"http://{LITERALS['solaria']}:{shop.server.port}"
    context = await browser.new_context(viewport=DESKTOP, color_scheme=scheme)  # type: ignore[arg-type]
    for name, value in owner.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin}])
    page = await context.new_page()
    await page.goto(f"{origin}/console/webhooks")
    await _look(page, "empty", scheme)
    await page.get_by_label("URL").fill("http://crm.invalid/hook")
    await page.get_by_role("button", name="Add endpoint").click()
    await expect(page.get_by_role("alert").first).to_contain_text("https")
    await page.get_by_label("URL").fill("https://crm.invalid/hook?source=storefront-with-a-rather-long-name")
    await page.get_by_label("Description").fill("CRM")
    await page.get_by_role("button", name="Add endpoint").click()
    await expect(page.locator("[data-secret]")).to_contain_text("whsec_")
    await _look(page, "made", scheme)
    await page.get_by_role("button", name="Send test event").click()
    await expect(page.get_by_role("status").first).to_contain_text("on its way")
    for _ in range(40):
        await page.reload()
        await page.locator("summary", has_text="test").first.click()
        if await page.get_by_text("leads nowhere").count():
            break
        await page.wait_for_timeout(250)
    await expect(page.get_by_text("leads nowhere").first).to_be_visible()
    await _look(page, "log", scheme)
    await page.goto(f"{origin}/console/webhooks")
    await _look(page, "list", scheme)
    await page.get_by_role("link", name="crm.invalid").first.click()
    await page.get_by_role("button", name="Remove").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status").first).to_contain_text("The endpoint is removed.")
    await context.close()
