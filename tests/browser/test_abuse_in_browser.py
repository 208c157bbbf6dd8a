"""A customer seen by its team, reported, restricted and heard again, in Chromium: accessible, and fit for a phone."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.support.accounts import Visitor
from tests.support.browsing import violations
from tests.support.members import colleague
from tests.support.product import LITERALS, Shop, eventually

SIZES: Final[tuple[ViewportSize, ...]] = ({"width": 390, "height": 844}, {"width": 1440, "height": 900})
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
JANE = "jane@customers.example"


async def entered(browser: Browser, shop: Shop, who: Visitor) -> BrowserContext:
    context = await browser.new_context()
    for name, value in who.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin(shop)}])
    return context


def origin(shop: Shop) -> str:
    return f"http://{LITERALS['solaria']}:{shop.server.port}"


async def assert_good(page: Page) -> None:
    """Nothing that axe complains of, one heading, no sideways scrolling: on a phone and on a desk."""
    for size in SIZES:
        await page.set_viewport_size(size)
        assert await violations(page) == [], page.url
        assert await page.locator("h1").count() == 1
        assert await page.evaluate(_SIDEWAYS) <= 0, page.url


async def test_a_member_views_the_account_and_comes_back(shop: Shop, browser: Browser) -> None:
    customer = shop.customer()
    shop.call(customer)
    context = await entered(browser, shop, colleague(shop))
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{origin(shop)}/console/customers/{customer.id}")
    section = page.locator("section", has=page.get_by_role("heading", name="View as customer"))
    await section.get_by_label("Reason").fill("Ticket 7")
    await section.get_by_role("button", name="View as customer").click()
    banner = page.get_by_role("complementary", name="View as customer")
    await expect(banner).to_contain_text(customer.email)
    await assert_good(page)
    await page.goto(f"{origin(shop)}/account/usage")
    await expect(banner).to_be_in_viewport()
    await page.goto(f"{origin(shop)}/account/security")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not while you view as a customer")
    await assert_good(page)
    await banner.get_by_role("button", name="End view").click()
    await expect(page).to_have_url(f"{origin(shop)}/console/customers/{customer.id}")
    assert complaints == []
    await context.close()


async def test_a_report_ends_in_an_appeal_that_is_heard(shop: Shop, browser: Browser) -> None:
    jane = Visitor(shop)
    jane.join(JANE)
    made = shop.ask("customer", "show", "--tenant", "solaria", "--customer", JANE)
    shop.grant("solaria", JANE, "5.00")
    customer = shop.with_key("solaria", JANE, made["id"])
    call = shop.call(customer).headers["x-request-id"]
    about = (
        "--request",
        call,
        "--upstream",
        "mainspring",
        "--reason",
        "Pages that copy a bank's.",
        "--category",
        "fraud",
    )
    report = eventually(
        lambda: found if "id" in (found := shop.try_("abuse", "report", *about)[1]) else None, "the call's record"
    )
    team = await entered(browser, shop, colleague(shop, role="support"))
    desk = await team.new_page()
    await desk.goto(f"{origin(shop)}/console/abuse")
    await desk.get_by_role("link", name="Fraud or deception").first.click()
    await assert_good(desk)
    await desk.get_by_role("button", name="Restrict").click()
    await expect(desk.locator(".form-done")).to_contain_text("refused")
    own = await entered(browser, shop, jane)
    page = await own.new_page()
    await page.goto(f"{origin(shop)}/account")
    await page.get_by_role("link", name="Read more or appeal").click()
    await assert_good(page)
    await page.get_by_label("Your appeal").fill("We test a filter. Nothing was sent to anybody.")
    await page.get_by_role("button", name="Send appeal").click()
    await expect(page.get_by_text("Appeal is being looked at")).to_be_visible()
    await desk.goto(f"{origin(shop)}/console/abuse/{report['id']}")
    await expect(desk.get_by_text("We test a filter.")).to_be_visible()
    await assert_good(desk)
    await desk.get_by_role("button", name="Lift").click()
    await expect(desk.locator(".form-done")).to_contain_text("served again")
    await page.goto(f"{origin(shop)}/account")
    await expect(page.get_by_text("Your API access is restricted")).to_have_count(0)
    await team.close()
    await own.close()
