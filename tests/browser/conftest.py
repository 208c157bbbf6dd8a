"""A Chromium page per test. The browser is the machine's own package; nothing is downloaded.

One browser and one event loop serve all tests here: to begin one costs more than most tests. Each test has a context of
its own, which shares neither cookies nor storage with another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from scripts._lib.suite import find_program
from tests.support.product import Shop, open_shop

_HERE = Path(__file__).parent
# As long as a page may take where other stages have the processors; what is there is seen at once.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
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


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A fresh page in a context of its own, as wide as a laptop's window."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Storefronts for tests that change nothing of theirs, only their own customers and members."""
    with open_shop(tmp_path_factory.mktemp("browser-shop"), None) as opened:
        yield opened
