"""Every shipped theme in Chromium, on the sample storefront: accessible, in bounds in any language, touchable."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import msgspec
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from reseller_kit import theming
from reseller_kit.theming.sample import (
    ERROR_TEMPLATE,
    ERRORS,
    KIT_TEMPLATE,
    PAGES,
    VIEWED,
    sample_brand,
    sample_page,
)
from tests.support.browsing import violations_in_both_schemes

pytestmark = pytest.mark.thorough

LIBRARY: Final = theming.load()
SHIPPED: Final = [name for name in LIBRARY.themes if name != "base"]
LOOKED_AT: Final = ("/", "/pricing", "/models", "/kit", "/error")
WIDTHS: Final = (390, 768, 1000, 1440)
HERO_COLORS: Final = ("#ffd166", "#123c7a")
LINKS: Final = theming.Links(login="/login", signup="/signup")
_SIDEWAYS: Final = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_SMALL_TARGETS: Final = """() => [...document.querySelectorAll('button, .button, summary, input, nav a')]
    .filter(one => one.checkVisibility() && !one.closest('.sr-only') && !one.matches('.sr-only'))
    .map(one => one.matches('label input') ? one.closest('label') : one)
    .filter(one => one.getBoundingClientRect().height < 43.5).map(one => one.outerHTML.slice(0, 90))"""


def document(theme: str, path: str, options: str) -> str:
    """A sample page; options: `ar` for right to left, `long` for texts half as long again, or a hero's colour."""
    brand = sample_brand()
    if options.startswith("hero-"):
        brand = msgspec.structs.replace(brand, settings={"hero_color": f"#{options[5:]}"})
    error = ERRORS[2] if path == "/error" else None
    template = {"/error": ERROR_TEMPLATE, "/kit": KIT_TEMPLATE}.get(path) or PAGES[path]
    page = sample_page(path, brand=brand, error=error)
    page = msgspec.structs.replace(page, links=LINKS, lang="ar" if options == "ar" else "en")
    html = theming.render(LIBRARY, theme, template, page)
    if options == "long":
        html = re.sub(r">([^<>{}\n]{3,60})<", lambda match: f">{match[1]} {match[1][: len(match[1]) // 2]}<", html)
    return html


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        _, theme, *rest = self.path.split("/")
        path, _, options = ("/" + "/".join(rest)).partition("?")
        if theme == "theme":
            self._file(path)
        else:
            self._answer(document(theme, path, options).encode(), "text/html; charset=utf-8")

    def _file(self, path: str) -> None:
        for name in LIBRARY.themes:
            for settings in ({}, *({"hero_color": color} for color in HERO_COLORS)):
                brand = msgspec.structs.replace(sample_brand(), settings=settings)
                sheet = theming.stylesheet(LIBRARY, name, brand)
                if sheet.url == f"/theme{path}":
                    self._answer(sheet.css, "text/css; charset=utf-8")
                    return
            found = theming.asset(LIBRARY, name, path.removeprefix("/static/"))
            if found is not None:
                self._answer(found.body, found.content_type)
                return
        self.send_error(404)

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("theme", SHIPPED)
async def test_every_theme_is_accessible_in_both_schemes(browser: Browser, origin: str, theme: str) -> None:
    # What fades in is read when it is there.
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    for address in (*LOOKED_AT, *(f"/?hero-{color[1:]}" for color in HERO_COLORS)):
        await page.goto(f"{origin}/{theme}{address}")
        await expect(page.locator("h1")).to_have_count(1)
        assert await violations_in_both_schemes(page) == [], address
    await context.close()


@pytest.mark.parametrize("theme", SHIPPED)
async def test_nothing_scrolls_sideways_at_any_width_in_any_language(browser: Browser, origin: str, theme: str) -> None:
    page = await browser.new_page()
    for address in [f"{path}?{options}" for path in LOOKED_AT for options in ("long", "ar")]:
        await page.goto(f"{origin}/{theme}{address}")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(_SIDEWAYS) <= 0, f"{address} at {width} px"
    await page.close()


@pytest.mark.parametrize("theme", SHIPPED)
async def test_a_finger_hits_every_button_and_link_of_a_menu(browser: Browser, origin: str, theme: str) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = await context.new_page()
    for path in ("/", "/models", "/kit"):
        await page.goto(f"{origin}/{theme}{path}")
        assert await page.evaluate(_SMALL_TARGETS) == [], path
    await page.get_by_role("button", name="Menu").click()
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    assert await page.evaluate(_SMALL_TARGETS) == []
    await context.close()


@pytest.mark.parametrize("theme", SHIPPED)
async def test_a_dialog_opens_and_closes_without_script(browser: Browser, origin: str, theme: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{origin}/{theme}/kit")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Delete the key").click()
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await context.close()


async def styled(page: Page, theme: str, html: str, width: int) -> None:
    """A page without its scripts and fonts."""
    size: ViewportSize = {"width": width, "height": 900}
    await page.set_viewport_size(size)
    await page.set_content(html)
    await page.add_style_tag(content=theming.stylesheet(LIBRARY, theme, sample_brand()).css.decode())


@pytest.mark.parametrize("lang", ["de", "zh", "ar"])
@pytest.mark.parametrize("theme", SHIPPED)
async def test_fields_of_the_playground_stand_in_a_line_though_a_label_wraps(page: Page, theme: str, lang: str) -> None:
    sample = next(one for one in VIEWED if one.path == "/account/playground")
    shown = msgspec.structs.replace(sample_page(sample.path, viewed=sample), lang=lang)
    for width in (390, 1440):
        await styled(page, theme, theming.render(LIBRARY, theme, sample.template, shown), width)
        await page.locator(".playground").evaluate("one => { one.hidden = false }")  # as its script does
        boxes = [await page.locator(f"#p-{name}").bounding_box() for name in ("temperature", "max")]
        assert all(boxes)
        assert len({round(box["y"] + box["height"]) for box in boxes if box}) == 1, (width, boxes)


@pytest.mark.parametrize("theme", SHIPPED)
async def test_states_stand_at_the_end_of_their_line(page: Page, theme: str) -> None:
    await styled(page, theme, theming.render(LIBRARY, theme, PAGES["/status"], sample_page("/status")), 390)
    boxes = [await state.bounding_box() for state in await page.locator(".states .state").all()]
    assert len({round(box["x"] + box["width"]) for box in boxes if box}) == 1, boxes
