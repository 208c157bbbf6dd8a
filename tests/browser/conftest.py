"""A Chromium page per test. The browser is the machine's own package; nothing is downloaded."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from scripts._lib.suite import find_program


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium that resolves and reaches loopback alone."""
    chromium = find_program("browser")
    assert chromium is not None, "Chromium is missing: run scripts/test as root, or apt-get install chromium"
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(chromium),
            args=["--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.*"],
        )
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A fresh page in a context of its own, as wide as a laptop's window."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()
