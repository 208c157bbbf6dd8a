"""The pictures in docs/screenshots of portal and console, taken of the sample storefront's pages.

`SCREENSHOTS=docs/screenshots .venv/bin/pytest tests/browser/test_screenshots.py` takes them anew; without it they go
to a scratch folder, so that what the docs show can always be taken.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from reseller_kit import theming
from reseller_kit.theming.sample import PAGES, VIEWED, sample_brand, sample_page
from reseller_kit.theming.sample_page import SamplePage
from scripts._lib.bootstrap import ROOT

pytestmark = pytest.mark.thorough

LIBRARY: Final = theming.load()
SHOTS: Final = {
    "portal-overview": ("/account", "account/overview.html", "daylight", "light"),
    "portal-usage": ("/account/usage", "account/usage.html", "midnight", "dark"),
    "console-overview": ("/console", "console/overview.html", "daylight", "light"),
    "console-insights": ("/console/insights", "console/insights.html", "atlas", "light"),
    "console-brand": ("/console/brand", "console/brand.html", "daylight", "light"),
}
"""Name → path, template, theme and scheme."""
_MOST_BYTES: Final = 90_000
_PREVIEW: Final = re.compile(r"/preview/sample/([a-z]+)/light/home")
_HOST: Final = "http://sample.localhost"


def first_of(path: str, template: str) -> SamplePage:
    return next(one for one in VIEWED if (one.path, one.template) == (path, template))


def files(theme: str) -> dict[str, tuple[bytes, str]]:
    """What a page loads, by its address."""
    sheet = theming.stylesheet(LIBRARY, theme, sample_brand())
    assets = LIBRARY.themes[theme].assets.values()
    return {sheet.url: (sheet.css, "text/css"), **{file.url: (file.body, file.content_type) for file in assets}}


def previewed(theme: str) -> bytes:
    """The home page that the brand editor shows in a frame: in the theme chosen, or in one that could be."""
    name = theme if theme in LIBRARY.themes else "daylight"
    return theming.render(LIBRARY, name, PAGES["/"], sample_page("/")).encode()


@pytest.mark.parametrize("name", list(SHOTS))
async def test_what_the_docs_show_can_be_taken(browser: Browser, tmp_path: Path, name: str) -> None:
    path, template, theme, scheme = SHOTS[name]
    sample = sample_page(path, viewed=first_of(path, template))
    sample = msgspec.structs.replace(sample, links=theming.Links(account="/account"))
    html = theming.render(LIBRARY, theme, template, sample)
    served = {path: (html.encode(), "text/html; charset=utf-8"), **files(theme)}
    if name == "console-brand":
        served |= {url: file for other in LIBRARY.themes for url, file in files(other).items()}
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = await context.new_page()

    async def answer(route: object) -> None:
        address = re.sub(r"^https?://[^/]+", "", route.request.url)  # type: ignore[attr-defined]
        body, kind = served.get(address, (b"", "text/plain"))
        if shown := _PREVIEW.fullmatch(address):
            body, kind = previewed(shown[1]), "text/html; charset=utf-8"
        await route.fulfill(body=body, content_type=kind)  # type: ignore[attr-defined]

    await page.route("**/*", answer)
    await page.goto(_HOST + path)
    await expect(page.locator("h1")).to_be_visible()
    await page.evaluate("() => document.fonts.ready")
    for frame in page.frames[1:]:
        await frame.wait_for_load_state()
    taken = io.BytesIO(await page.screenshot())
    await context.close()
    folder = ROOT / os.environ["SCREENSHOTS"] if "SCREENSHOTS" in os.environ else tmp_path
    file = folder / f"{name}.webp"
    with Image.open(taken) as picture:
        picture.save(file, "WEBP", quality=82, method=6)
        assert picture.size == (1440, 900)
    assert file.stat().st_size < _MOST_BYTES


@pytest.mark.parametrize("name", list(SHOTS))
def test_the_docs_have_and_show_it(name: str) -> None:
    assert (ROOT / "docs" / "screenshots" / f"{name}.webp").is_file()
    page = {"console-brand": "brand.md"}.get(name, f"{name.partition('-')[0]}.md")
    assert f"screenshots/{name}.webp" in (ROOT / "docs" / page).read_text()
