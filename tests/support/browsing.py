"""What a browser test gives to Chromium besides pages."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page

_TRUSTED: Final = {
    "protocol": "ctap2",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def give_authenticator(page: Page, transport: str = "internal") -> None:
    """An authenticator, by default the device's own, which has seen its owner and answers at once."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**_TRUSTED, "transport": transport}})
