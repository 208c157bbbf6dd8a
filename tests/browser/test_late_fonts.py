"""A font that arrives after its text moves nothing: what stands in for it has its measure. In Chromium, per theme."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from typing import Final

import pytest
from playwright.async_api import Browser, Page, Route, ViewportSize

from reseller_kit import theming
from reseller_kit.core.theme import Font, FontMetrics
from reseller_kit.core.theme import fonts as fonts_of
from reseller_kit.theming.sample import PAGES, sample_brand, sample_page

LIBRARY: Final = theming.load()
SHIPPED: Final = [name for name in LIBRARY.themes if name != "base"]
VENDORED: Final = {name: font for name, font in fonts_of(LIBRARY.themes["base"].chain).items() if font.file}
WIDTHS: Final = {"/": (360, 390, 412, 1440), "/faq": (360, 390)}
"""Path → widths that it is looked at in; the address in the lead of the questions may need a line of its own."""
MOST_SHIFT: Final = 0.01
TEXT: Final = (
    "Every model you need. One API key, one balance and one bill for 24 models behind an OpenAI-compatible API, with"
    " the price of each request before you send it. Create account, read the guide, see prices: what a customer pays is"
    " what the page says. Two minutes from sign-up to the first answered call."
)
"""What widths are measured with: the mean of a letter in such a text."""
_HOST: Final = "http://sample.localhost"
_LISTEN: Final = """window.shifted = 0; new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.shifted += entry.value;
}).observe({type: 'layout-shift', buffered: true})"""
_PAINTED: Final = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_MEASURE: Final = """async ([family, data, range, text]) => {
    const face = new FontFace(family, `url(data:font/woff2;base64,${data})`, {weight: range});
    document.fonts.add(await face.load());
    const pen = document.createElement('canvas').getContext('2d');
    pen.textRendering = 'geometricPrecision';
    const mean = weight => {
        pen.font = `${weight} 20px "${family}"`;
        return pen.measureText(text).width / text.length / 20;
    };
    const widths = [mean(400), mean(650)];
    pen.font = `400 1000px "${family}"`;
    const reach = pen.measureText('x');
    return [reach.fontBoundingBoxAscent / 1000, reach.fontBoundingBoxDescent / 1000, ...widths];
}"""


async def shift_of(page: Page, theme: str, path: str) -> float:
    """Cumulative layout shift of a page when every font comes after the first paint."""
    arrive = asyncio.Event()
    sheet = theming.stylesheet(LIBRARY, theme, sample_brand())
    shown = theming.render(LIBRARY, theme, PAGES[path], sample_page(path))
    served = {path: (shown.encode(), "text/html; charset=utf-8")}
    served[sheet.url] = (sheet.css, "text/css")
    served |= {file.url: (file.body, file.content_type) for file in LIBRARY.themes[theme].assets.values()}

    async def answer(route: Route) -> None:
        body, kind = served.get(re.sub(r"^https?://[^/]+", "", route.request.url), (b"", "text/plain"))
        if kind == "font/woff2":
            await arrive.wait()
        await route.fulfill(body=body, content_type=kind)

    await page.route("**/*", answer)
    await page.add_init_script(_LISTEN)
    await page.goto(_HOST + path, wait_until="domcontentloaded")
    await page.evaluate(_PAINTED)
    arrive.set()
    await page.wait_for_load_state("load")
    assert await page.evaluate("async () => (await document.fonts.ready).size") > 0
    await page.evaluate(_PAINTED)
    return float(await page.evaluate("window.shifted"))


@pytest.mark.parametrize("path", WIDTHS)
@pytest.mark.parametrize("theme", SHIPPED)
async def test_fonts_that_arrive_late_move_nothing(browser: Browser, theme: str, path: str) -> None:
    for width in WIDTHS[path]:
        size: ViewportSize = {"width": width, "height": 900}
        context = await browser.new_context(viewport=size, reduced_motion="reduce")
        assert await shift_of(await context.new_page(), theme, path) <= MOST_SHIFT, width
        await context.close()


async def test_every_vendored_font_is_described_as_it_measures(page: Page) -> None:
    wrong: dict[str, FontMetrics] = {}
    for name, font in VENDORED.items():
        found = await measured(page, font)
        assert font.metrics is not None, f"[fonts.{name}] has no metrics: {found}"
        if any(abs(one - other) > 0.003 for one, other in zip(flat(found), flat(font.metrics), strict=True)):
            wrong[name] = found
    assert wrong == {}


async def measured(page: Page, font: Font) -> FontMetrics:
    assert font.file is not None
    data = b64encode(LIBRARY.themes["base"].assets[font.file].body).decode()
    ascent, descent, plain, bold = await page.evaluate(_MEASURE, [font.family, data, font.weights, TEXT])
    return FontMetrics(ascent=ascent, descent=descent, widths=(round(plain, 3), round(bold, 3)))


def flat(metrics: FontMetrics) -> tuple[float, ...]:
    return (metrics.ascent, metrics.descent, *metrics.widths)
