"""The way of a customer in Chromium: sign up, log in with one and two steps, with a passkey, and leave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from tests.support.accounts import PASSWORD, Visitor, newest_mail
from tests.support.browsing import give_authenticator, violations_in_both_schemes
from tests.support.product import Shop, eventually

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
JANE = "jane@solaria.example"


@pytest.fixture
def origin(shop: Shop) -> str:
    """A host with a name: passkeys are not for addresses."""
    return f"http://solaria.localhost:{shop.server.port}"


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page and what its console complained of; a refused form is no complaint."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            complaints.append(message.text)

    context = await browser.new_context(viewport=DESKTOP)
    page = await context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints
    await context.close()


async def look(page: Page) -> None:
    """The page that is shown: accessible in both schemes, and within a phone's width."""
    assert await violations_in_both_schemes(page) == [], page.url
    await page.set_viewport_size(PHONE)
    assert await page.evaluate(SIDEWAYS) <= 0, f"{page.url} scrolls sideways"
    await page.set_viewport_size(DESKTOP)
    await expect(page.locator("h1")).to_have_count(1)


async def submit(page: Page, name: str, **fields: str) -> None:
    """Fill in fields by their labels and press a button."""
    for label, text in fields.items():
        await page.get_by_label(label.replace("_", " ").replace("E mail", "E-mail"), exact=True).fill(text)
    await page.get_by_role("button", name=name, exact=True).click()


async def log_out(page: Page, origin: str) -> None:
    await page.goto(origin + "/logout")
    await submit(page, "Log out")


async def test_a_customers_whole_way(watched: tuple[Page, list[str]], shop: Shop, origin: str) -> None:
    page, complaints = watched
    await page.goto(origin + "/signup")
    await page.get_by_role("checkbox").check()
    await submit(page, "Create account", E_mail=JANE, Password=PASSWORD)
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    await look(page)
    mail = eventually(lambda: newest_mail(shop, JANE, "confirm your address"), "the mail")
    await page.goto(next(word for word in mail.split() if "/verify?token=" in word))
    await expect(page).to_have_url(origin + "/account")

    await give_authenticator(page)
    await page.goto(origin + "/account/security")
    await look(page)
    await page.locator("#passkey-password").fill("wrong password")
    await submit(page, "Add passkey", Name_of_the_passkey="Laptop")
    await expect(page.get_by_text("No passkey was added.")).to_be_visible()
    await page.locator("#passkey-password").fill(PASSWORD)
    await submit(page, "Add passkey")
    await expect(page.get_by_text("The passkey is added.")).to_be_visible()

    secret, codes = await turn_on_two_steps(page)
    await page.goto(origin + "/account/security")
    await look(page)
    await log_out(page, origin)

    await page.goto(origin + "/account")
    await submit(page, "Log in", E_mail=JANE, Password="wrong password")
    await expect(page.get_by_role("alert").first).to_contain_text("E-mail or password is wrong.")
    await look(page)
    await submit(page, "Log in", Password=PASSWORD)
    await expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    await look(page)
    await submit(page, "Log in", Code=codes[0])
    await expect(page).to_have_url(origin + "/account")
    await log_out(page, origin)

    await page.goto(origin + "/login")
    await submit(page, "Use a passkey")
    await expect(page).to_have_url(origin + "/account")
    await log_out(page, origin)

    await page.goto(origin + "/login?next=/account/security")
    await submit(page, "Log in", E_mail=JANE, Password=PASSWORD)
    await submit(page, "Use a passkey")
    await expect(page).to_have_url(origin + "/account/security")
    assert secret not in await page.content()
    await close_and_keep(page)
    assert complaints == []


async def turn_on_two_steps(page: Page) -> tuple[str, list[str]]:
    """The app's secret and the recovery codes."""
    await page.get_by_text("Set up", exact=True).click()
    await page.locator("#two_factor_on-password").fill(PASSWORD)
    await submit(page, "Go on")
    await page.get_by_text("Can't scan? Type this secret").click()
    await look(page)
    assert await page.locator("img.qr").evaluate("image => image.naturalWidth") > 0
    secret = await page.locator("[data-copy-text]").inner_text()
    await submit(page, "Turn on", Code_from_the_app="000000")
    await expect(page.get_by_role("alert")).to_contain_text("That code is wrong")
    await submit(page, "Turn on", Code_from_the_app=pyotp.TOTP(secret).now())
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    await look(page)
    return secret, (await page.locator("[data-copy-text]").inner_text()).split()


async def close_and_keep(page: Page) -> None:
    await page.locator("#close summary").click()
    await page.locator("#close-password").fill(PASSWORD)
    await page.locator("#close button").click()
    await expect(page.get_by_text("This account will be deleted on")).to_be_visible()
    await look(page)
    await page.goto(page.url.removesuffix("/security"))
    await expect(page.get_by_text("This account will be deleted on")).to_be_visible()
    await look(page)
    await page.get_by_role("link", name="Keep my account").click()
    await submit(page, "Keep my account")
    await expect(page.get_by_text("Your account stays.")).to_be_visible()


async def test_everything_but_passkeys_works_without_javascript(browser: Browser, shop: Shop, origin: str) -> None:
    ann = Visitor(shop)
    ann.join("ann@solaria.example")
    context = await browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(origin + "/login?next=/account/security")
    assert await page.get_by_role("button", name="Use a passkey").count() == 0
    await submit(page, "Log in", E_mail="ann@solaria.example", Password=PASSWORD)
    await expect(page).to_have_url(origin + "/account/security")
    await page.locator("#password summary").click()
    await page.locator("#password-password").fill("wrong password")
    await page.locator("#password-new_password").fill("short")
    await page.locator("#password-new_password").evaluate("field => field.removeAttribute('minlength')")
    await page.locator("#password button").click()
    await expect(page.locator("#password-password-problem")).to_have_text("That is not your password.")
    described = await page.locator("#password-password").get_attribute("aria-describedby")
    assert described == "password-password-problem"
    await page.get_by_role("button", name="End the session of").first.click()
    await expect(page.get_by_text("The session is ended.")).to_be_visible()
    assert not ann.logged_in()
    await context.close()


async def test_a_form_is_filled_in_by_keyboard_alone(page: Page, shop: Shop, origin: str) -> None:
    Visitor(shop).join("kim@solaria.example")
    await page.goto(origin + "/login")
    await page.get_by_label("E-mail", exact=True).focus()
    await page.keyboard.type("kim@solaria.example")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(origin + "/account")
