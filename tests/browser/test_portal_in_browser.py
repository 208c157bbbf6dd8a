"""The customer portal in Chromium: live steps, calls that appear, the playground; accessible and within its width."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.support.accounts import Visitor
from tests.support.browsing import violations_in_both_schemes
from tests.support.product import LITERALS, Shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
NUMBERS = itertools.count(1)
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Kim:
    """A customer whose browser is logged in."""

    def __init__(self, shop: Shop, slug: str) -> None:
        self.shop, self.slug = shop, slug
        self.origin = f"http://{LITERALS[slug]}:{shop.server.port}"
        self.email = f"browsing{next(NUMBERS)}@{slug}.example"
        self._visitor = Visitor(shop, slug)
        self._visitor.join(self.email)

    async def enter(self, context: BrowserContext) -> None:
        for name, value in self._visitor.http.cookies.items():
            await context.add_cookies([{"name": name, "value": value, "url": self.origin}])

    def call(self, key: str) -> str:
        """One call with a key; its id."""
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        url, headers = f"{self.origin}/v1/chat/completions", {"authorization": f"Bearer {key}"}
        answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"]


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and what its console complained of."""
    complaints: list[str] = []
    context = await browser.new_context(viewport=DESKTOP)
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints
    await context.close()


async def test_the_first_minutes(tab: tuple[Page, list[str]], shop: Shop) -> None:
    page, complaints = tab
    kim = Kim(shop, "solaria")
    await kim.enter(page.context)
    await page.goto(kim.origin + "/account")
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "1")
    shop.grant("solaria", kim.email, "5.00")
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "2", timeout=20_000)
    await page.goto(kim.origin + "/account/keys")
    await page.get_by_label("Name").fill("laptop")
    await page.get_by_role("button", name="Create key").click()
    key = await page.locator("[data-secret]").inner_text()
    assert key in await page.locator("pre").first.inner_text()
    await page.get_by_role("button", name="Copy").first.click()
    await page.goto(kim.origin + "/account")
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "3")
    kim.call(key)
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "4", timeout=20_000)
    await page.goto(kim.origin + "/account/usage")
    await expect(page.locator("tr[data-call]")).to_have_count(1)
    await page.get_by_role("button", name="Live").click()
    latest = kim.call(key)
    await expect(page.locator(f'tr[data-call="{latest}"]')).to_be_visible(timeout=20_000)
    await page.locator(f'tr[data-call="{latest}"] a').click()
    await expect(page.get_by_text(latest)).to_be_visible()
    await page.goto(kim.origin + "/account/keys")
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status").first).to_contain_text("laptop")
    await expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    assert complaints == []


async def test_the_playground_talks_in_turns(tab: tuple[Page, list[str]], shop: Shop) -> None:
    page, complaints = tab
    kim = Kim(shop, "lunaris")
    shop.grant("lunaris", kim.email, "5.00")
    await kim.enter(page.context)
    await page.goto(kim.origin + "/account/playground")
    message = page.get_by_label("Message")
    for number, words in enumerate(("<b>Why</b> is the sea salty?", "And the lake?"), 1):
        await message.fill(words)
        await page.keyboard.press("Enter")
        await expect(page.locator(".chat-turn.assistant .facts-line a")).to_have_count(number, timeout=20_000)
    assert await page.locator(".chat-turn.user .said").first.inner_text() == "<b>Why</b> is the sea salty?"
    code = await page.locator('[data-code="curl"]').text_content() or ""
    assert code.count('"role"') == 4
    assert "Bearer $LUNARIS_API_KEY" in code
    records = shop.ask("usage", "list", "--tenant", "lunaris", "--customer", kim.email)["records"]
    assert [record["key"] for record in records] == ["playground"] * 2
    assert records[0]["input_tokens"] > records[1]["input_tokens"]
    await page.get_by_role("button", name="New chat").click()
    await expect(page.locator(".chat-turn")).to_have_count(0)
    assert complaints == []


@pytest.mark.parametrize("slug", sorted(LITERALS))
async def test_every_page_is_accessible_and_fits(tab: tuple[Page, list[str]], shop: Shop, slug: str) -> None:
    page, complaints = tab
    kim = Kim(shop, slug)
    shop.grant(slug, kim.email, "5.00")
    await kim.enter(page.context)
    await page.goto(kim.origin + "/account/keys")
    await page.get_by_label("Name").fill("a key with a long name, such as people give who have many of them")
    await page.get_by_label("Spending limit").fill("1.00")
    await page.get_by_role("button", name="Create key").click()
    key = await page.locator("[data-secret]").inner_text()
    await looked_at(page, "the new key")
    request_id = kim.call(key)
    for path in (
        "",
        "/keys",
        "/usage",
        f"/usage/{request_id}",
        "/playground",
        "/usage?since=2026-01-01&until=2026-01-01",
    ):
        await page.goto(f"{kim.origin}/account{path}")
        await looked_at(page, path)
    await page.goto(kim.origin + "/account/keys")
    await page.get_by_role("link", name="Edit").click()
    await looked_at(page, "a key")
    await page.get_by_label("Spending limit").fill("much")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await looked_at(page, "a refused form")
    assert [text for text in complaints if "422" not in text] == []


async def looked_at(page: Page, what: str) -> None:
    """Nothing that axe finds, one heading, no sideways scroll on a phone."""
    await expect(page.locator("h1")).to_have_count(1)
    assert await violations_in_both_schemes(page) == [], what
    await page.set_viewport_size(PHONE)
    assert await page.evaluate(_SIDEWAYS) <= 0, what
    await page.set_viewport_size(DESKTOP)
