"""The consoles in Chromium: accessible, within their width, and usable without a script of their own."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.async_api import Browser, BrowserContext, ViewportSize, expect

from tests.support.browsing import violations_in_both_schemes
from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
PAGES = {
    "solaria": (
        "/console",
        "/console/team",
        "/console/profile",
        "/console/audit",
        "/console/abuse",
        "/console/tokens",
        "/console/tokens/reference",
    ),
    "platform": ("/", "/tenants/solaria", "/tenants/sketch", "/tenants/new", "/abuse", "/team"),
}


@pytest.fixture(scope="module")
def people(shop: Shop) -> dict[str, Colleague]:
    """Somebody on each console, logged in."""
    return {"solaria": colleague(shop, "solaria", "owner"), "platform": colleague(shop, "platform", "operator")}


def origin(shop: Shop, slug: str) -> str:
    return f"http://{LITERALS.get(slug, 'desk.localhost')}:{shop.server.port}"


async def enter(context: BrowserContext, shop: Shop, person: Colleague) -> None:
    for name, value in person.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin(shop, person.slug)}])


@pytest.mark.parametrize("slug", list(PAGES))
async def test_every_page_is_accessible_and_fits_a_phone(
    shop: Shop, people: dict[str, Colleague], browser: Browser, slug: str
) -> None:
    context = await browser.new_context(viewport=DESKTOP)
    await enter(context, shop, people[slug])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in PAGES[slug]:
        await page.goto(origin(shop, slug) + path)
        assert await violations_in_both_schemes(page) == [], path
        assert await page.locator("h1").count() == 1
        await page.set_viewport_size(PHONE)
        assert await page.evaluate(_SIDEWAYS) <= 0, path
        await page.set_viewport_size(DESKTOP)
    assert complaints == []
    await context.close()


async def test_a_bank_transfer_is_approved_with_its_button_on_a_phone(
    shop: Shop, people: dict[str, Colleague], browser: Browser
) -> None:
    buyer = shop.customer(credit=None)
    order = shop.ask("order", "create", "--tenant", "solaria", "--customer", buyer.email, "--package", "sunbeam")
    context = await browser.new_context(viewport=PHONE)
    await enter(context, shop, people["solaria"])
    page = await context.new_page()
    await page.goto(f"{origin(shop, 'solaria')}/console/orders/{order['id']}")
    await page.get_by_label("Note").first.fill("statement 12")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("The order is credited")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    credited = shop.ask("order", "show", order["id"])
    assert shop.ask("credit", "balance", *buyer.owner)["balance"] == credited["credits"]
    await context.close()


async def test_a_member_is_invited_and_changed_on_a_phone(
    shop: Shop, people: dict[str, Colleague], browser: Browser
) -> None:
    context = await browser.new_context(viewport=PHONE)
    await enter(context, shop, people["solaria"])
    page = await context.new_page()
    await page.goto(f"{origin(shop, 'solaria')}/console")
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("link", name="Team").click()
    await page.get_by_label("E-mail").fill("grace@solaria.example")
    await page.get_by_role("radio", name="Finance").check()
    await page.get_by_role("button", name="Send invitation").click()
    await expect(page.get_by_role("status").first).to_contain_text("The invitation is on its way.")
    row = page.get_by_role("row").filter(has_text="grace@solaria.example")
    await row.get_by_role("button", name="Manage").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("radio", name="Support").check()
    await dialog.get_by_role("button", name="Change role").click()
    await expect(row).to_contain_text("Support")
    await context.close()
