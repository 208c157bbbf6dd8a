"""Every storefront page in Chromium: accessible, within its width, and without a complaint of the security policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from reseller_kit.theming.sample import PAGES
from tests.support.browsing import violations_in_both_schemes
from tests.support.product import LITERALS, Shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_CUT_TABLES = """() => [...document.querySelectorAll('.scroll')]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && !one.querySelector('.compare'))
    .map((one) => one.getAttribute('aria-label') || one.getAttribute('aria-labelledby'))"""
"""Tables of which a column is out of sight; models that are compared stand side by side, however many."""


@pytest.fixture(params=sorted(LITERALS))
def origin(request: pytest.FixtureRequest, shop: Shop) -> str:
    return f"http://{LITERALS[request.param]}:{shop.server.port}"


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and what its console complained of."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    context = await browser.new_context(viewport=DESKTOP)
    page = await context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints
    await context.close()


async def test_every_page_is_accessible_and_fits(visitor: tuple[Page, list[str]], origin: str) -> None:
    page, complaints = visitor
    for path in (*PAGES, "/models/long-reader", "/models/compare?m=gpt-5&m=long-reader", "/models?q=nothing"):
        await page.set_viewport_size(DESKTOP)
        answer = await page.goto(origin + path)
        assert answer is not None
        assert answer.status == 200
        await expect(page.locator("h1")).to_have_count(1)
        for landmark in ("header", "nav", "main", "footer"):
            assert await page.locator(landmark).count() >= 1, f"{path} has no {landmark}"
        assert await violations_in_both_schemes(page) == [], path
        await page.set_viewport_size(PHONE)
        assert await page.evaluate(_SIDEWAYS) <= 0, f"{path} scrolls sideways at 390 px"
        assert await page.evaluate(_CUT_TABLES) == [], path
    assert complaints == []


async def test_the_error_page_is_the_brands_own(visitor: tuple[Page, list[str]], origin: str) -> None:
    page, _ = visitor
    answer = await page.goto(origin + "/nowhere")
    assert answer is not None
    assert answer.status == 404
    await expect(page.locator("h1")).to_have_count(1)
    assert await violations_in_both_schemes(page) == []


async def test_code_can_be_copied_and_says_so(browser: Browser, origin: str) -> None:
    context = await browser.new_context(viewport=DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto(origin + "/docs/quickstart")
    await page.get_by_role("button", name="Copy").first.click()
    await expect(page.locator("#announce")).not_to_be_empty()
    copied = await page.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() != ""
    await context.close()


async def test_pages_work_without_javascript(browser: Browser, origin: str) -> None:
    context = await browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = await context.new_page()
    for path in PAGES:
        await page.goto(origin + path)
        await expect(page.locator("h1")).to_be_visible()
        assert await page.get_by_role("button", name="Copy").count() == 0, f"{path} shows a button that can't work"
    await context.close()


async def test_models_are_filtered_compared_and_worked_out_without_javascript(browser: Browser, origin: str) -> None:
    context = await browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(origin + "/models")
    await page.get_by_label("Filter models").fill("gpt")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator(".card.model")).to_have_count(2)
    for name in ("gpt-5", "gpt-5-mini"):
        await page.get_by_label(f"Compare {name}", exact=True).check()
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator("thead th")).to_have_text(["gpt-5", "gpt-5-mini"])
    await page.locator("thead a").first.click()
    await expect(page.locator("h1")).to_have_text("gpt-5")
    await page.get_by_role("link", name="Work out your own").click()
    await page.get_by_label("Chats").fill("many")
    await page.get_by_role("button", name="Calculate").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("Chats").fill("20,000")
    await page.get_by_role("button", name="Calculate").click()
    await expect(page.locator("td[data-label='20,000 chats']").first).to_be_visible()
    await context.close()


async def test_the_first_tab_stop_skips_to_the_content(page: Page, origin: str) -> None:
    await page.goto(origin + "/pricing")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_the_scheme_can_be_chosen_and_is_remembered(page: Page, origin: str) -> None:
    await page.emulate_media(color_scheme="light")
    await page.goto(origin + "/")
    read = "() => getComputedStyle(document.body).backgroundColor"
    before = await page.evaluate(read)
    await page.locator("[data-scheme-toggle]").first.click()
    after = await page.evaluate(read)
    assert after != before
    await page.goto(origin + "/faq")
    assert await page.evaluate(read) == after
