"""A reseller's first hour in Chromium, over TLS: from the operator's form to the answered call of a customer who paid.

The front door is the deployment's own, the domain is proven by DNS, cards are paid at the double of the provider.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from scripts._lib import caddy
from scripts._lib.caddy import Door, running_caddy
from scripts._lib.suite import find_program
from tests.support.accounts import PASSWORD as OPERATORS_PASSWORD
from tests.support.accounts import newest_mail
from tests.support.dns_double import DnsDouble, dns_double
from tests.support.members import Colleague, colleague
from tests.support.paddle_double import API_KEY, SECRET, PaddleDouble, paddle_double
from tests.support.product import TEMPLATE, Shop, eventually, open_shop
from tests.support.tls import openai_over_tls, trust_in_chromium

NAME: Final = "Borealis & Söhne"
FALLBACK: Final = "borealis.stalls.localhost"
HOST: Final = "chat.borealis.example"
EDGE: Final = "edge.stores.example"
PASSWORD: Final = "correct horse battery 9"
NAMES: Final = "MAP *.localhost 127.0.0.1, MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.*"
OPERATOR: Final = ("pdl_operators_key", "pdl_operators_secret")
PLATFORM: Final = 'storefront_suffix = "stalls.localhost"\n'
PAYMENTS: Final = """\
ingress = { cname = "edge.stores.example" }
  [platform.payments]
  provider = "paddle"
  api_key = "env:OPERATORS_KEY"
  webhook_secret = "env:OPERATORS_SECRET"
  environment = "@paddle@"
"""
DOUBLE: Final = """
[[tenants]]
slug = "borealis"
name = "Borealis & Söhne"
  [tenants.payments]
  environment = "@paddle@"
"""
"""The double stands where the service would, which is for the operator alone to say: a team chooses sandbox or live."""


@dataclass(frozen=True)
class Street:
    """What there is before the hour begins: the product behind its front door, a DNS, and a payment service."""

    shop: Shop
    door: Door
    dns: DnsDouble
    paddle: PaddleDouble

    def at(self, host: str) -> str:
        """The origin of a host as browsers have it."""
        return f"https://{host}:{self.door.https_port}"

    def is_funded(self) -> bool:
        """Whether the reseller's wallet has what its calls draw on."""
        return bool(self.shop.ask("wholesale", "balance", "--tenant", "borealis")["balance"] == "50.00")

    def is_secured(self) -> bool:
        """Whether it is known that the domain has its certificate."""
        domains = self.shop.ask("domain", "list", "--tenant", "borealis")["domains"]
        return any(one["host"] == HOST and one["secured_at"] for one in domains)


@contextmanager
def open_street(folder: Path) -> Iterator[Street]:
    with dns_double() as dns, paddle_double(folder, "--account", *OPERATOR, "") as paddle:
        template = folder / "template.toml"
        payments = PLATFORM + PAYMENTS.replace("@paddle@", paddle.url)
        template.write_text(TEMPLATE.read_text().replace(PLATFORM, payments, 1))
        environment = {
            "RESELLER_KIT_TRUSTED_PROXIES": caddy.ADDRESS,
            "RESELLER_KIT_DNS_SERVERS": dns.setting,
            "OPERATORS_KEY": OPERATOR[0],
            "OPERATORS_SECRET": OPERATOR[1],
        }
        with (
            open_shop(folder, None, template=template, environment=environment) as shop,
            running_caddy(folder / "caddy", upstream=f"{caddy.ADDRESS}:{shop.server.port}") as door,
        ):
            url = f'[platform]\npublic_url = "https://{{host}}:{door.https_port}"\n'
            shop.text = shop.text.replace("[platform]\n", url, 1)
            shop.apply(shop.text)
            paddle.set(OPERATOR[0], webhook_url=f"http://desk.localhost:{shop.server.port}/webhooks/paddle")
            yield Street(shop, door, dns, paddle)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with open_street(tmp_path_factory.mktemp("first-hour")) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(street: Street) -> Colleague:
    return colleague(street.shop, "platform", role="operator")


@pytest_asyncio.fixture(loop_scope="session")
async def browser(street: Street) -> AsyncIterator[Browser]:
    """A Chromium for which every name leads to the front door, and that trusts the front door's CA alone."""
    chromium = find_program("browser")
    assert chromium is not None
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(chromium),
            args=[
                f"--host-resolver-rules={NAMES}",
                trust_in_chromium(street.door),
            ],
        )
        yield launched
        await launched.close()


def mailed(shop: Shop, address: str, path: str) -> str:
    """The link to this path in the newest mail to the address."""
    text: str = eventually(lambda: newest_mail(shop, address, ""), f"a mail to {address}")
    found = re.search(rf"https://\S+{path}\S+", text)
    assert found is not None, text
    return found[0]


async def go(page: Page, address: str) -> None:
    """Open a page, as somebody who was sent its link does."""
    await page.goto(address)


async def follow(page: Page, link: str) -> None:
    """Click a link of the page's main part."""
    async with page.expect_navigation():
        await page.get_by_role("main").get_by_role("link", name=link, exact=True).first.click()


async def send(page: Page, button: str) -> None:
    """Press a button, and wait for the page that it leads to."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button, exact=True).first.click()


async def open_desk(street: Street, desk: Page, operator: Colleague) -> None:
    await go(desk, street.at("desk.localhost") + "/login")
    await desk.fill("[name=email]", operator.address)
    await desk.fill("[name=password]", OPERATORS_PASSWORD)
    await send(desk, "Log in")
    await desk.fill("[name=code]", operator.code(1))  # the one of now was used to turn the app on
    async with desk.expect_navigation():
        await desk.locator("main form button").first.click()


async def make_tenant(street: Street, desk: Page) -> None:
    await go(desk, street.at("desk.localhost") + "/tenants/new")
    for name, value in {"name": NAME, "slug": "borealis", "owner": "boss@borealis.example"}.items():
        await desk.fill(f"[name={name}]", value)
    await send(desk, "Create tenant")
    extended = street.shop.text + DOUBLE.replace("@paddle@", street.paddle.url)
    await asyncio.to_thread(street.shop.apply, extended)


async def join_team(street: Street, boss: Page) -> None:
    await go(boss, await asyncio.to_thread(mailed, street.shop, "boss@borealis.example", "/console/invite"))
    await boss.fill("[name=name]", "Bo")
    await boss.fill("[name=password]", PASSWORD)
    await send(boss, "Accept and log in")
    async with boss.expect_navigation():
        await boss.locator("main form button").first.click()
    secret = await boss.locator("code[data-copy-text]").first.text_content()
    assert secret is not None
    await boss.fill("[name=code]", pyotp.TOTP(secret).now())
    await send(boss, "Turn on")


async def set_up(street: Street, boss: Page) -> None:
    """The checklist of the first page, one step after the other, by its own links."""
    console = street.at(FALLBACK) + "/console"
    await go(boss, console)
    await follow(boss, "Open the brand editor")
    await boss.locator('[name="color.accent.light"]').fill("#0f766e")
    await boss.get_by_label("Tagline").first.fill("Northern lights, by the token")
    await boss.wait_for_load_state("networkidle")  # the preview of the draft is gone with the draft
    await send(boss, "Publish")
    await go(boss, console)
    await follow(boss, "Add legal data")
    for name, value in {"company": "Borealis ApS", "country": "Denmark", "address": "Nygade 1, Aarhus"}.items():
        await boss.locator(f'[name="brand.legal.{name}"]').fill(value)
    await boss.wait_for_load_state("networkidle")
    await send(boss, "Publish")
    await go(boss, f"{console}/pricing")
    await boss.fill("[name=markup]", "50%")
    await send(boss, "Publish")
    await go(boss, console)
    await follow(boss, "Create a package")
    for name, value in {"title": "Start", "price": "10.00", "credits": "11.00"}.items():
        await boss.fill(f"[name={name}]", value)
    await send(boss, "Save")
    await go(boss, console)
    await follow(boss, "Set up payments")
    await take_payments(street, boss)


async def take_payments(street: Street, boss: Page) -> None:
    await boss.get_by_role("radio", name="Paddle").check()
    await boss.fill("[name=api_key]", API_KEY)
    await boss.fill("[name=webhook_secret]", SECRET)
    await send(boss, "Save")
    await send(boss, "Try credentials")
    await expect(boss.get_by_text("The credentials work")).to_be_visible()
    address = await boss.get_by_text("/webhooks/paddle").first.text_content()
    assert address == f"{street.at(FALLBACK)}/webhooks/paddle"
    # What delivers to the double's sellers speaks no TLS; the product is reached behind its door.
    inner = f"http://{FALLBACK}:{street.shop.server.port}/webhooks/paddle"
    await asyncio.to_thread(lambda: street.paddle.set(webhook_url=inner))


async def connect_domain(street: Street, boss: Page) -> None:
    await go(boss, street.at(FALLBACK) + "/console")
    await follow(boss, "Add a domain")
    await boss.get_by_label("Domain", exact=True).fill(HOST)
    await send(boss, "Add domain")
    value = await boss.get_by_role("group", name="TXT").locator("code").nth(1).text_content()
    target = await boss.get_by_role("group", name="CNAME").locator("code").nth(1).text_content()
    assert value is not None
    assert target == EDGE
    await send(boss, "Check now")
    await expect(boss.get_by_text("The TXT record was not found")).to_be_visible()
    street.dns.set(f"_storefront-challenge.{HOST}", "TXT", value)
    street.dns.set(HOST, "CNAME", EDGE)
    await send(boss, "Check now")
    await expect(boss.get_by_text("Everything is right")).to_be_visible()
    await send(boss, "Make it the primary one")


async def fill_wallet(street: Street, boss: Page) -> None:
    """By card, at the operator's account."""
    await go(boss, street.at(FALLBACK) + "/console/wholesale")
    await boss.fill("[name=amount]", "50.00")
    await send(boss, "Top up")
    await follow(boss, "Pay now")
    await send(boss, "Pay and close")
    await asyncio.to_thread(street.paddle.settle)
    await asyncio.to_thread(eventually, street.is_funded, "the deposit")
    await go(boss, street.at(FALLBACK) + "/console/wholesale")
    await expect(boss.get_by_role("definition").filter(has_text="50.00").first).to_be_visible()


async def go_live(street: Street, boss: Page) -> None:
    """The reseller opens its own storefront; nobody else's hand is needed."""
    await go(boss, f"{street.at(FALLBACK)}/console/domains/{HOST}")
    await expect(boss.get_by_text("4 of 5")).to_be_visible()
    await follow(boss, "Open")
    assert boss.url == street.at(HOST) + "/"
    await expect(boss.get_by_text("not open yet").first).to_be_visible()
    await asyncio.to_thread(eventually, street.is_secured, "the certificate")
    await go(boss, f"{street.at(FALLBACK)}/console/domains/{HOST}")
    await expect(boss.get_by_text("First seen")).to_be_visible()
    await go(boss, street.at(FALLBACK) + "/console")
    await expect(boss.get_by_text("Still needed")).to_have_count(0)
    await send(boss, "Open the storefront")
    await expect(boss.get_by_text("Your storefront is open.")).to_be_visible()
    front = f"{FALLBACK}:{street.shop.server.port}"
    await asyncio.to_thread(eventually, lambda: street.shop.get("/", front).status_code == 200, "the opening")


async def sign_up(street: Street, kim: Page) -> None:
    response = await kim.goto(street.at(HOST))
    assert response is not None
    shown = await response.security_details()
    assert shown is not None
    assert shown["subjectName"] in {HOST, ""}
    await kim.locator('a[href="/signup"]').first.click()
    await expect(kim.locator("[name=terms]")).to_be_visible()
    for name, value in {"email": "kim@example.org", "password": PASSWORD, "name": "Kim"}.items():
        await kim.fill(f"[name={name}]", value)
    await kim.check("[name=terms]")
    await send(kim, "Create account")
    link = await asyncio.to_thread(mailed, street.shop, "kim@example.org", "/verify")
    assert link.startswith(street.at(HOST))
    await go(kim, link)


async def buy(street: Street, kim: Page) -> None:
    """With a card that is declined first."""
    await go(kim, street.at(HOST) + "/account/billing")
    await send(kim, "Buy Start")
    await kim.get_by_role("checkbox").check()
    await send(kim, "Buy")
    await send(kim, "Pay with declined card")
    await send(kim, "Pay and close")
    orders = await asyncio.to_thread(street.shop.ask, "order", "list", "--tenant", "borealis")
    await go(kim, f"{street.at(HOST)}/account/billing/orders/{orders['orders'][0]['id']}")
    await expect(kim.get_by_text("the credit is in your account").first).to_be_visible(timeout=60_000)


async def new_key(street: Street, page: Page) -> str:
    await go(page, street.at(HOST) + "/account/keys")
    await page.fill("[name=name]", "laptop")
    await send(page, "Create key")
    found = re.search(r"\bsk_[0-9A-Za-z]{36}\b", await page.content())
    assert found is not None
    return found[0]


def call(street: Street, key: str) -> str | None:
    """One call with the OpenAI SDK at the brand's own base URL."""
    with openai_over_tls(street.door, HOST, key) as client:
        model = client.models.list().data[0].id
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello"}], max_tokens=20
        )
        return answer.choices[0].message.content


async def see_the_money(street: Street, boss: Page, kim: Page) -> None:
    """The customer reads what the call came to and why; the reseller what it earned, and that nothing is left to do."""
    await go(kim, street.at(HOST) + "/account/usage")
    call_link = kim.locator('a[href^="/account/usage/req_"]').first
    address = await call_link.get_attribute("href")
    await go(kim, f"{street.at(HOST)}{address}")
    whose = ("--tenant", "borealis", "--customer", "kim@example.org")
    (record,) = (await asyncio.to_thread(street.shop.ask, "usage", "list", *whose))["records"]
    await expect(kim.locator("tfoot")).to_contain_text(f"${record['retail']}")
    await go(boss, street.at(FALLBACK) + "/console/insights")
    await expect(boss.get_by_title(f"${record['retail']}", exact=True).first).to_be_visible()
    await expect(boss.get_by_title(f"${record['wholesale']}", exact=True).first).to_be_visible()
    await go(boss, street.at(FALLBACK) + "/console")
    await expect(boss.get_by_role("heading", name="Set up your storefront")).to_have_count(0)
    await go(boss, street.at(FALLBACK) + "/console/payments")
    await expect(boss.get_by_text("Last seen")).to_be_visible()


async def test_from_the_operators_form_to_a_paying_customers_call(
    browser: Browser, street: Street, operator: Colleague
) -> None:
    faults: list[str] = []
    size = {"width": 1440, "height": 900}
    pages = [await (await browser.new_context(viewport=size)).new_page() for _ in range(3)]  # type: ignore[arg-type]
    for page in pages:
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    desk, boss, kim = pages
    await open_desk(street, desk, operator)
    await make_tenant(street, desk)
    await join_team(street, boss)
    await set_up(street, boss)
    await connect_domain(street, boss)
    await fill_wallet(street, boss)
    await go_live(street, boss)
    await sign_up(street, kim)
    await buy(street, kim)
    assert await asyncio.to_thread(call, street, await new_key(street, kim))
    await see_the_money(street, boss, kim)
    await asyncio.to_thread(street.shop.assert_books_are_right)
    assert [fault for fault in faults if "503" not in fault] == []  # the draft's own page
    for page in pages:
        await page.context.close()
