"""The brand editor in Chromium: edited, previewed, published and taken back; accessible and within its width."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, ViewportSize, expect

from tests.support.accounts import Visitor
from tests.support.browsing import violations
from tests.support.desk import seat
from tests.support.product import LITERALS, Shop, open_shop

DESKTOP: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
TEAL: Final = "rgb(15, 118, 110)"
ODD: Final = "{{7*7}} <b>&amp;\"'` 🚀 \u200fאב\u200e"
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_ACCENT = "getComputedStyle(document.querySelector('.hero .button')).backgroundColor"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("brand-shop"), None) as opened:
        yield opened


@pytest.fixture(scope="module")
def kim(shop: Shop) -> Visitor:
    return seat(shop)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, shop: Shop, kim: Visitor) -> AsyncIterator[Page]:
    """A page of the editor, whose console must have nothing to complain of but what is asked for."""
    context = await browser.new_context(viewport=DESKTOP, base_url=origin(shop))
    for name, value in kim.http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": origin(shop)}])
    page = await context.new_page()
    yield page
    await context.close()


def origin(shop: Shop, slug: str = "solaria") -> str:
    return f"http://{LITERALS[slug]}:{shop.server.port}"


def logo() -> FilePayload:
    out = io.BytesIO()
    Image.new("RGB", (300, 100), "#0f766e").save(out, "PNG")
    return {"name": "logo.png", "mimeType": "image/png", "buffer": out.getvalue()}


async def until(page: Page, tagline: str) -> None:
    """Load the home page until it shows the tagline, as it has to within a second."""
    for _ in range(100):
        await page.goto("/")
        if await page.locator(".kicker").text_content() == tagline:
            return
    pytest.fail(f"the home page never showed {tagline!r}")


async def test_from_draft_to_storefront_and_back(desk: Page, browser: Browser, shop: Shop) -> None:
    visitor = await browser.new_page(base_url=origin(shop))
    await visitor.goto("/")
    before = await visitor.evaluate(_ACCENT)
    await desk.goto("/console/brand")
    await desk.locator('[name="color.accent.light"]').fill("#0f766e")
    await desk.get_by_label("Tagline").first.fill(ODD)
    await desk.get_by_label("Logo on light grounds").set_input_files(logo())
    await desk.get_by_role("button", name="Save").click()
    await expect(desk.get_by_role("status").first).to_contain_text("draft is saved")
    shown = desk.frame_locator('iframe[name="brand-preview"]')
    await expect(shown.locator(".hero .button").first).to_have_css("background-color", TEAL)
    await expect(shown.locator(".kicker")).to_have_text(ODD)
    await desk.get_by_role("link", name="Mail", exact=True).click()
    await expect(shown.locator("h1")).to_contain_text("Receipt")
    await visitor.reload()
    assert await visitor.evaluate(_ACCENT) == before
    await desk.get_by_role("button", name="Publish").click()
    await expect(desk.get_by_role("status").first).to_contain_text("Published")
    await until(visitor, ODD)
    assert await visitor.evaluate(_ACCENT) == TEAL
    assert await visitor.evaluate("document.querySelector('.site-header .brand img').naturalWidth") == 300
    await desk.goto("/console/brand/history")
    await desk.get_by_role("button", name=re.compile("Restore revision 1")).click()
    await expect(desk.get_by_role("status").first).to_contain_text("earlier revision")
    await until(visitor, "Sunlit answers.")
    assert await visitor.evaluate(_ACCENT) == before
    await visitor.context.close()


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
async def test_it_is_accessible_and_fits(desk: Page, scheme: str, size: ViewportSize) -> None:
    await desk.set_viewport_size(size)
    await desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await desk.goto("/console/brand")
    await desk.locator('[name="color.accent.light"]').fill("#ffd400")
    await desk.locator('[name="color.on_accent.light"]').fill("#ffffff")
    await desk.locator('[name="brand.support_email"]').evaluate(
        "field => { field.type = 'text'; field.value = 'nobody' }"
    )
    await desk.get_by_role("button", name="Publish").click()
    await expect(desk.get_by_role("alert")).to_contain_text("not an e-mail address")
    await expect(desk.locator('[name="brand.support_email"]')).to_have_value("nobody")
    await expect(desk.get_by_role("button", name=re.compile("Use #"))).to_have_count(1)
    await desk.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    await expect(desk.locator("h1")).to_have_count(1)
    assert await desk.evaluate(_SIDEWAYS) <= 0
    assert await violations(desk) == []
    await desk.get_by_role("button", name="Discard draft").click()
    await desk.goto("/console/brand/history")
    assert await desk.evaluate(_SIDEWAYS) <= 0
    assert await violations(desk) == []


async def test_without_script_a_better_colour_is_one_click_away(browser: Browser, shop: Shop) -> None:
    # On a storefront of its own: what it publishes stays.
    home = origin(shop, "lunaris")
    context = await browser.new_context(viewport=DESKTOP, base_url=home, java_script_enabled=False)
    for name, value in seat(shop, "lunaris").http.cookies.items():
        await context.add_cookies([{"name": name, "value": value, "url": home}])
    page = await context.new_page()
    await page.goto("/console/brand")
    await page.locator('[name="color.accent.light"]').fill("#ffd400")
    await page.locator('[name="color.on_accent.light"]').fill("#ffffff")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("alert")).to_contain_text("could not be read")
    await page.get_by_role("button", name=re.compile("Use #")).click()
    await expect(page.get_by_role("button", name=re.compile("Use #"))).to_have_count(0)
    await page.get_by_role("link", name="Pricing", exact=True).click()
    await expect(page.frame_locator('iframe[name="brand-preview"]').locator("h1")).to_have_text(re.compile("Pay for"))
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("status").first).to_contain_text("Published")
    await context.close()
