"""The passkeys of those who run a storefront, and of the operator's people, in Chromium with an authenticator."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.support.accounts import PASSWORD
from tests.support.browsing import give_authenticator, violations_in_both_schemes
from tests.support.members import Colleague
from tests.support.product import Shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport=DESKTOP)
    opened = await context.new_page()
    await give_authenticator(opened)
    yield opened
    await context.close()


async def look(page: Page) -> None:
    """The page that is shown: accessible in both schemes, and within a phone's width."""
    assert await violations_in_both_schemes(page) == [], page.url
    await page.set_viewport_size(PHONE)
    assert await page.evaluate(_SIDEWAYS) <= 0, f"{page.url} scrolls sideways"
    await page.set_viewport_size(DESKTOP)


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def log_in(page: Page, person: Colleague) -> None:
    await page.get_by_label("E-mail").fill(person.address)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await press(page, "Log in")


def origin_of(shop: Shop, slug: str) -> str:
    """A host with a name: passkeys are not for addresses."""
    return f"http://{'desk' if slug == 'platform' else slug}.localhost:{shop.server.port}"


@pytest.mark.parametrize(("slug", "role"), [("solaria", "owner"), ("platform", "operator")])
async def test_a_passkey_is_the_second_factor_and_then_the_whole_log_in(
    shop: Shop, page: Page, slug: str, role: str
) -> None:
    person = Colleague(shop, slug, role)
    origin, base = origin_of(shop, slug), person.base
    await page.goto(origin + person.invite())
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("main button[type=submit]").click()
    await expect(page).to_have_url(f"{origin}{base}/profile/two-factor")
    await look(page)
    await page.get_by_label("Name of the passkey").fill("Laptop")
    await press(page, "Add passkey")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    codes = (await page.locator("[data-copy-text]").inner_text()).split()
    assert len(codes) == 10

    home, outside = f"{origin}{base or '/'}", f"{origin}{base}/login?done=out"
    await page.goto(home)
    await expect(page).to_have_url(home)
    await log_out(page, outside)
    await press(page, "Use a passkey")
    await expect(page).to_have_url(home)
    await log_out(page, outside)
    await log_in(page, person)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
    await look(page)
    await press(page, "Use a passkey")
    await expect(page).to_have_url(home)
    await log_out(page, outside)
    await log_in(page, person)
    await page.get_by_label("Code").fill(codes[0])
    await press(page, "Log in")
    await expect(page).to_have_url(home)


async def log_out(page: Page, outside: str) -> None:
    await page.get_by_role("button", name="Log out").last.evaluate("button => button.form.submit()")
    await expect(page).to_have_url(outside)


async def test_passkeys_are_named_added_and_removed_but_never_an_owners_last(shop: Shop, page: Page) -> None:
    owner = Colleague(shop, "solaria", "owner")
    profile = f"{origin_of(shop, 'solaria')}/console/profile"
    await page.goto(origin_of(shop, "solaria") + owner.invite())
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("main button[type=submit]").click()
    await page.get_by_label("Name of the passkey").fill("<b>Laptop</b> {{7*7}}")
    await press(page, "Add passkey")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    await page.goto(profile)
    await look(page)
    passkeys = page.locator("section", has=page.get_by_role("heading", name="Passkeys"))
    await expect(passkeys.get_by_text("<b>Laptop</b> {{7*7}}")).to_be_visible()
    await expect(passkeys.get_by_text("at solaria.localhost")).to_be_visible()
    await passkeys.get_by_label("Remove the passkey").click()
    await passkeys.locator("details input[type=password]").fill("wrong password")
    await press(page, "Remove")
    await expect(page.get_by_role("alert").filter(has_text="not your password")).to_be_visible()
    await look(page)
    await passkeys.locator("details input[type=password]").fill(PASSWORD)
    await press(page, "Remove")
    await expect(page.get_by_role("alert").filter(has_text="two factors")).to_be_visible()
    await page.locator("#passkey-password").fill("wrong password")
    await press(page, "Add passkey")
    await expect(page.get_by_text("No passkey was added.")).to_be_visible()

    await give_authenticator(page, "usb")
    await page.locator("#passkey-password").fill(PASSWORD)
    await page.get_by_label("Name of the passkey").fill("Key ring")
    await press(page, "Add passkey")
    await expect(page.get_by_text("The passkey is added.")).to_be_visible()
    await passkeys.get_by_label(re.compile("Remove the passkey Key ring")).click()
    await passkeys.locator("details[open] input[type=password]").fill(PASSWORD)
    await passkeys.locator("details[open]").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    await page.goto(f"{origin_of(shop, 'solaria')}/console/audit")
    await expect(page.get_by_text("Key ring").first).to_be_visible()
