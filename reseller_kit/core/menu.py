"""The storefront's own pages that a brand's links may lead to without a title. Knows no words: themes have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PAGES: Final[Mapping[str, str]] = {
    "/models": "models",
    "/pricing": "pricing",
    "/docs": "docs",
    "/docs/quickstart": "quickstart",
    "/faq": "faq",
    "/status": "status",
    "/announcements": "announcements",
    "/contact": "support",
    "/legal/terms": "terms",
    "/legal/privacy": "privacy",
    "/legal/refunds": "refunds",
    "/legal/acceptable-use": "acceptable_use",
}
"""Path → what a theme calls it, as the text `nav.<name>`."""
MAX_MENU: Final = 8
MAX_FOOTER: Final = 12
NETWORKS: Final[Mapping[str, str]] = {
    "github": "GitHub",
    "discord": "Discord",
    "x": "X",
    "linkedin": "LinkedIn",
    "youtube": "YouTube",
    "mastodon": "Mastodon",
    "bluesky": "Bluesky",
    "instagram": "Instagram",
    "telegram": "Telegram",
}
"""Places elsewhere where a brand may be, with their names."""
