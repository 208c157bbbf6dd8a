"""Prices, packages, groups and insights in Chromium: published with and without a script, pages that all can use."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.support.browsing import violations_in_both_schemes
from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Shop, open_shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("selling-shop"), None) as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(shop: Shop) -> Colleague:
    made = colleague(shop, "solaria", "admin")
    kim = shop.customer("solaria")
    for model in ("gpt-5", "gpt-5-mini", "long-reader"):
        shop.call(kim, model=model)
    groups = "/console/customers/groups"
    mark = re.search(r'name="mark" value="([^"]+)"', made.get(f"{groups}/new").text)
    assert mark is not None
    terms = {"title": "Partners", "markup": "20%", "requests_per_minute": "6000"}
    assert made.send(f"{groups}/new", do="save", mark=mark[1], **terms).status_code == 303
    shop.ask("customer", "update", *kim.owner, "--group", "partners")
    return made


def origin(shop: Shop) -> str:
    return f"http://{LITERALS['solaria']}:{shop.server.port}"


async def enter(context: BrowserContext, shop: Shop, member: Colleague) -> Page:
    for name, value in member.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin(shop)}])
    return await context.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, shop: Shop, ada: Colleague) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page of the console, and what the browser complained of."""
    complaints: list[str] = []
    context = await browser.new_context(viewport=DESKTOP)
    page = await enter(context, shop, ada)
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints
    await context.close()


async def looked_at(page: Page, name: str) -> None:
    """Nothing that axe finds, and nothing beyond the width of a desk or a phone."""
    for size in (DESKTOP, PHONE):
        await page.set_viewport_size(size)
        assert await page.evaluate(_SIDEWAYS) <= 0, f"{name} is wider than {size['width']}"
    assert await violations_in_both_schemes(page) == [], name
    await page.set_viewport_size(DESKTOP)


async def test_every_page_is_accessible_and_fits(tab: tuple[Page, list[str]], shop: Shop) -> None:
    page, complaints = tab
    for path in (
        "/pricing",
        "/pricing/scheduled",
        "/pricing/history",
        "/packages",
        "/packages/new?kind=topup",
        "/packages/edit/sunbeam",
        "/customers",
        "/customers/groups",
        "/customers/groups/new",
        "/customers/groups/edit/partners",
        "/insights",
        "/insights?range=12m",
    ):
        await page.goto(f"{origin(shop)}/console{path}")
        await looked_at(page, path)
    await page.goto(f"{origin(shop)}/console/pricing")
    await page.get_by_label("Markup on wholesale").fill("77%")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("heading", name="What publishing would change")).to_be_visible()
    await looked_at(page, "the preview")
    assert complaints == []


@pytest.mark.parametrize("script", [True, False])
async def test_a_price_is_published(browser: Browser, shop: Shop, ada: Colleague, *, script: bool) -> None:
    context = await browser.new_context(viewport=DESKTOP, java_script_enabled=script)
    page = await enter(context, shop, ada)
    await page.goto(f"{origin(shop)}/console/pricing")
    markup, wanted = page.get_by_label("Markup on wholesale"), "61%" if script else "62%"
    await markup.fill("-80%")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("alert")).to_contain_text("Retail lies below wholesale")
    await expect(markup).to_have_value("-80%")
    await markup.fill(wanted)
    fold, patterns = page.get_by_text("Models on offer, by pattern"), page.get_by_label("Offered", exact=True)
    await fold.click()
    offered = await patterns.input_value()
    await patterns.fill("")
    await fold.click()
    await page.get_by_role("button", name="Publish").click()
    await expect(patterns).to_be_visible()
    await expect(patterns).to_have_attribute("aria-invalid", "true")
    await patterns.fill(offered)
    await page.get_by_role("button", name="Add rule").click()
    await expect(markup).to_have_value(wanted)
    await page.locator('[name="rules.1.match"]').fill("tiny")
    await page.locator('[name="rules.1.input"]').fill("9.87")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("status").first).to_contain_text("Published")
    lines = shop.ask("price", "show", "--tenant", "solaria", "--model", "tiny")["prices"]
    assert next(line["retail"] for line in lines if line["class"] == "input") == "9.87"
    await page.get_by_role("button", name="Remove rule 2").click()
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("status").first).to_contain_text("Published")
    await page.goto(f"{origin(shop)}/console/pricing/history")
    await expect(page.get_by_text(f"→ {wanted}").first).to_be_visible()
    await context.close()


@pytest.mark.parametrize("script", [True, False])
async def test_a_group_is_previewed_and_made(browser: Browser, shop: Shop, ada: Colleague, *, script: bool) -> None:
    context = await browser.new_context(viewport=PHONE, java_script_enabled=script)
    page = await enter(context, shop, ada)
    await page.goto(f"{origin(shop)}/console/customers")
    await page.get_by_role("link", name="Groups").click()
    await page.get_by_role("link", name="New group").first.click()
    await page.get_by_label("Name", exact=True).fill(f"Team {script}")
    markup = page.get_by_label("Markup on wholesale")
    await markup.fill("-80%")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("alert")).to_contain_text("Retail lies below wholesale")
    await markup.fill("15")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("heading", name="What they would pay")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").first).to_contain_text("Saved")
    await page.get_by_role("button", name=f"Withdraw Team {script}").click()
    await expect(page.get_by_role("status").first).to_contain_text("Withdrawn")
    await context.close()
