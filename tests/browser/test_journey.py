"""A newcomer's two minutes in Chromium: once by keyboard through everything, then each theme's pages as they end up."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect

from reseller_kit import theming
from tests.support.accounts import PASSWORD, Visitor, newest_mail
from tests.support.browsing import violations_in_both_schemes
from tests.support.product import TEMPLATE, Shop, eventually, open_shop

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
THEMES: Final = sorted(name for name in theming.load().themes if name != "base")
STRANGER: Final = ("/signup", "/login", "/reset", "/contact", "/announcements", "/legal/terms", "/nowhere")
ACCOUNT: Final = (
    "/account", "/account/keys", "/account/usage", "/account/usage/ID", "/account/playground", "/account/billing",
    "/account/security", "/account/support", "/contact", "/account/nowhere",
)  # fmt: skip
EXPECTED: Final = re.compile(r"status of 4\d\d|^\[DOM\]")
"""Pages that are refused on purpose, and Chromium's advice on forms."""
_SIDEWAYS: Final = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_CUT: Final = """() => [...document.querySelectorAll('.tile dd, .chart text, .button, h1, h2')]
    .filter(one => one.checkVisibility() && !one.matches('.sr-only'))
    .filter(one => one.matches('text')
        ? one.getBBox().x < -1 || one.getBBox().x + one.getBBox().width > one.ownerSVGElement.viewBox.baseVal.width + 1
        : one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
    .map(one => one.outerHTML.slice(0, 90))"""
STOREFRONT: Final = """
[[tenants]]
slug = "of-{theme}"
name = "Of-{title}"
theme = "{theme}"
  [[tenants.domains]]
  host = "of-{theme}.localhost"
  primary = true
  [tenants.brand]
  tagline = "One key for every model."
  support_email = "help@{theme}.example"
  legal = {{ company = "{title} GmbH", country = "Germany" }}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A storefront of each theme."""
    folder = tmp_path_factory.mktemp("journeys")
    themed = "".join(STOREFRONT.format(theme=theme, title=theme.title()) for theme in THEMES)
    template = Path(folder / "template.toml")
    template.write_text(TEMPLATE.read_text() + themed)
    with open_shop(folder, None, template=template) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page without motion, and what its console complained of."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type != "log" and not EXPECTED.search(message.text):
            complaints.append(message.text)

    context = await browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = await context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints
    await context.close()


async def looked_at(page: Page, what: str) -> None:
    """Accessible in both schemes, one heading, nothing cut off, no sideways scroll on a phone."""
    await expect(page.locator("h1")).to_have_count(1)
    assert await violations_in_both_schemes(page) == [], what
    assert await page.evaluate(_CUT) == [], what
    await page.set_viewport_size(PHONE)
    assert await page.evaluate(_SIDEWAYS) <= 0, f"{what} scrolls sideways"
    assert await page.evaluate(_CUT) == [], f"{what} on a phone"
    await page.set_viewport_size(DESKTOP)


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is focused has this name."""
    read = "() => { const one = document.activeElement; return one.labels?.[0]?.innerText ?? one.innerText ?? ''; }"
    for _ in range(80):
        await page.keyboard.press("Tab")
        if str(await page.evaluate(read)).strip().startswith(name):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def call(shop: Shop, theme: str, key: str) -> str:
    """One call with a key; its id."""
    answer = httpx.post(
        f"http://127.0.0.1:{shop.server.port}/v1/chat/completions",
        json={"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]},
        headers={"host": f"of-{theme}.localhost:{shop.server.port}", "authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


async def test_two_minutes_by_keyboard_alone(watched: tuple[Page, list[str]], shop: Shop) -> None:
    page, complaints = watched
    theme, email = "midnight", "kim@of-midnight.example"
    origin = f"http://of-{theme}.localhost:{shop.server.port}"
    await page.goto(origin + "/")
    await tab_to(page, "Create account")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(origin + "/signup")
    for field, text in (("E-mail", email), ("Password", PASSWORD)):
        await tab_to(page, field)
        await page.keyboard.type(text)
    await tab_to(page, "I accept")
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    mail = eventually(lambda: newest_mail(shop, email, "confirm your address"), "the mail")
    await page.goto(next(word for word in mail.split() if "/verify?token=" in word))
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "1")
    shop.grant(f"of-{theme}", email, "5.00")
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "2", timeout=20_000)
    await tab_to(page, "API keys")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(origin + "/account/keys")
    await tab_to(page, "Name")
    await page.keyboard.type("laptop")
    await tab_to(page, "Create key")
    await page.keyboard.press("Enter")
    key = await page.locator("[data-secret]").inner_text()
    await page.goto(origin + "/account")
    call(shop, theme, key)
    await expect(page.locator(".checklist")).to_have_attribute("data-done", "4", timeout=20_000)
    await page.goto(origin + "/account/usage")
    await expect(page.locator("tr[data-call]")).to_have_count(1)
    await page.goto(origin + "/account/playground")
    await tab_to(page, "Message")
    await page.keyboard.type("Why is the sea salty?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".chat-turn.assistant .facts-line a")).to_have_count(1, timeout=20_000)
    await tab_to(page, "Log out")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(origin + "/")
    await page.goto(origin + "/login")
    for field, text in (("E-mail", email), ("Password", PASSWORD)):
        await tab_to(page, field)
        await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(origin + "/account")
    assert complaints == []


@pytest.mark.parametrize("theme", THEMES)
async def test_every_page_of_every_theme(watched: tuple[Page, list[str]], shop: Shop, theme: str) -> None:
    page, complaints = watched
    origin = f"http://of-{theme}.localhost:{shop.server.port}"
    for path in STRANGER:
        await page.goto(origin + path)
        await looked_at(page, path)
    request_id = await _join(page.context, shop, theme)
    for path in ACCOUNT:
        await page.goto(origin + path.replace("ID", request_id))
        await looked_at(page, path)
    assert complaints == []


async def _join(context: BrowserContext, shop: Shop, theme: str) -> str:
    """Be a customer who has called; the call's id."""
    visitor, email = Visitor(shop, f"of-{theme}"), f"lee@of-{theme}.example"
    visitor.join(email)
    shop.grant(f"of-{theme}", email, "5.00")
    made = re.search(r"data-secret>([^<]+)<", visitor.send("/account/keys", name="laptop").text)
    assert made is not None
    for name, value in visitor.http.cookies.items():
        await context.add_cookies(
            [{"name": name, "value": value, "url": f"http://of-{theme}.localhost:{shop.server.port}"}]
        )
    return call(shop, theme, made[1])
