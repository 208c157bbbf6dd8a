"""A reseller brings a domain along in a real browser, over TLS, and opens its storefront there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from scripts._lib import caddy
from scripts._lib.caddy import Door, running_caddy
from scripts._lib.suite import find_program
from tests.support.accounts import PASSWORD
from tests.support.browsing import violations
from tests.support.dns_double import DnsDouble, dns_double
from tests.support.members import Colleague
from tests.support.product import Shop, eventually, open_shop

HOST = "chat.lunar.example"
NAMES = "MAP *.localhost 127.0.0.1, MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.*"


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsDouble]:
    with dns_double() as double:
        double.set("lunaris.stalls.localhost", "A", "192.0.2.10")
        yield double


@pytest.fixture(scope="module")
def shop(dns: DnsDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    environment = {"RESELLER_KIT_TRUSTED_PROXIES": caddy.ADDRESS, "RESELLER_KIT_DNS_SERVERS": dns.setting}
    with open_shop(tmp_path_factory.mktemp("shop-of-domains"), None, environment=environment) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running_caddy(tmp_path_factory.mktemp("caddy"), upstream=f"{caddy.ADDRESS}:{shop.server.port}") as opened:
        url = f'public_url = "https://{{host}}:{opened.https_port}"\n'
        shop.apply(shop.text.replace("[platform]\n", f"[platform]\n{url}", 1))
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def far_browser() -> AsyncIterator[Browser]:
    """A Chromium for which every name of a test leads to this machine, where Caddy stands."""
    chromium = find_program("browser")
    assert chromium is not None
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(chromium),
            args=[f"--host-resolver-rules={NAMES}"],
        )
        yield launched
        await launched.close()


async def log_in(page: Page, door: Door, admin: Colleague) -> None:
    await page.goto(f"https://lunaris.localhost:{door.https_port}/console/login")
    await page.get_by_role("textbox", name=re.compile("mail")).fill(admin.address)
    await page.locator("input[type=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="Domains")).to_be_visible()


async def looks_right(page: Page) -> None:
    """Nothing that axe finds, one heading, no sideways scroll, wide and narrow, light and dark."""
    for scheme, width in (("light", 1440), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900})
        assert await violations(page) == [], (page.url, scheme)
        await expect(page.locator("h1")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
    await page.set_viewport_size({"width": 1440, "height": 900})


async def test_a_domain_of_ones_own_from_the_form_to_its_storefront(
    shop: Shop, door: Door, dns: DnsDouble, far_browser: Browser
) -> None:
    admin = Colleague(shop, "lunaris")
    admin.accept(admin.invite())
    context = await far_browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await log_in(page, door, admin)
    cookies = {cookie["name"]: cookie for cookie in await context.cookies()}
    assert cookies["__Host-console"]["secure"]
    assert cookies["__Host-console"]["httpOnly"]

    await page.get_by_role("link", name="Domains").click()
    await page.get_by_label("Domain", exact=True).fill(HOST)
    await page.get_by_role("button", name="Add domain").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOST)
    await looks_right(page)
    value = await page.get_by_role("group", name="TXT").locator("code").nth(1).text_content()
    assert value is not None
    dns.set(f"_storefront-challenge.{HOST}", "TXT", value)
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_role("status").filter(has_text="does not lead here yet")).to_be_visible()
    await page.get_by_text("A and AAAA").click()
    await expect(page.get_by_text("192.0.2.10").first).to_be_visible()

    dns.set(HOST, "CNAME", "lunaris.stalls.localhost")
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_text("Everything is right")).to_be_visible()
    gate = f"/internal/tls-allowed?domain={HOST}"
    eventually(lambda: shop.request("GET", gate, "127.0.0.1").status_code == 200, "the certificate's permission")
    await page.get_by_role("link", name="Open").click()
    await expect(page).to_have_url(re.compile(rf"https://{re.escape(HOST)}:[0-9]+/"))
    await expect(page).to_have_title(re.compile("Lunaris"))

    await page.goto(f"https://lunaris.localhost:{door.https_port}/console/domains")
    await looks_right(page)
    await page.get_by_label("Domain", exact=True).fill("co.uk")
    await page.get_by_role("button", name="Add domain").click()
    await expect(page.get_by_role("alert")).to_contain_text("not a domain of yours alone")
    await expect(page.get_by_label("Domain", exact=True)).to_have_value("co.uk")
    assert [text for text in complaints if "422" not in text] == []
    await context.close()
