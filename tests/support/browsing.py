"""What a browser test gives to Chromium besides pages."""

from __future__ import annotations

from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_TRUSTED: Final = {
    "protocol": "ctap2",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules of axe that ask for colours: of all, these alone can tell one colour scheme from the other."""
_RUN: Final = """rules => axe.run({resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})})
    .then(found => found.violations.map(rule => [rule.id, rule.nodes[0].html.slice(0, 200)]))"""


async def violations(page: Page, *rules: str) -> list[list[str]]:
    """Which of axe's rules (all, or these) the page breaks, each with the first element that does.

    Axe is put into a page once, and only what it objects to leaves Chromium: a whole report is as dear as the look.
    """
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(Axe().axe_script)
    found: list[list[str]] = await page.evaluate(_RUN, list(rules))
    return found


async def violations_in_both_schemes(page: Page) -> list[list[str]]:
    """As `violations`: everything by light, then what colours decide by dark, in which it leaves the page."""
    found = []
    for scheme, rules in (("light", ()), ("dark", _COLOURS)):
        # Without motion: colours on their way from one scheme to the other are nobody's.
        await page.emulate_media(color_scheme="light" if scheme == "light" else "dark", reduced_motion="reduce")
        found += [[scheme, *one] for one in await violations(page, *rules)]
    return found


async def give_authenticator(page: Page, transport: str = "internal") -> None:
    """An authenticator, by default the device's own, which has seen its owner and answers at once."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**_TRUSTED, "transport": transport}})
