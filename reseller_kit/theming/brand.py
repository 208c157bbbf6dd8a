"""A storefront's face as values: names, words, links, pictures and overrides of its theme. Renders nothing.

Every text that a reseller gave is plain text here; the templates escape it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from reseller_kit.core.menu import NETWORKS

BRAND_TEXTS: Final = (
    "home.title",
    "home.lead",
    "home.more",
    "faq.more",
    "legal.terms",
    "legal.privacy",
    "legal.refunds",
    "legal.acceptable_use",
)
"""Texts a brand may give. The first two are plain; the others are Markdown, and a legal text replaces the theme's."""
TRANSLATED: Final = ("tagline", *BRAND_TEXTS)
"""What a brand may give in each of its languages."""
IMAGE_PREFIX: Final = "/theme/images/"
"""Where the web layer serves a brand's pictures, by what they hold and so for ever."""


class Legal(Struct, frozen=True, kw_only=True):
    """Who sells: what terms, privacy and refunds pages are made of. Empty means not given."""

    company: str = ""
    address: str = ""
    country: str = ""
    registration: str = ""
    vat_id: str = ""
    updated: dt.date | None = None


class Link(Struct, frozen=True):
    """A link of the brand's own. Without a `title` it is a page of the storefront, which has a name."""

    to: str
    title: str = ""

    @property
    def is_outside(self) -> bool:
        """Whether it leads away from the storefront."""
        return not self.to.startswith("/")


class Brand(Struct, frozen=True, kw_only=True):
    """The storefront's face. `tokens` and `settings` are the brand's raw overrides; `texts` is keyed by BRAND_TEXTS.

    `languages`: those of its pages, the default first. `translations`: texts and tagline by language. `images`: ids of
    pictures by kind (logo_light, logo_dark, logo_mail, favicon, social). `social`: URLs by network.
    """

    name: str
    slug: str
    tagline: str = ""
    support_email: str = ""
    key_prefix: str = "sk"
    languages: tuple[str, ...] = ("en",)
    tokens: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    legal: Legal = Legal()
    texts: dict[str, str] = {}
    translations: dict[str, dict[str, str]] = {}
    menu: tuple[Link, ...] = ()
    footer: tuple[Link, ...] = ()
    social: dict[str, str] = {}
    images: dict[str, str] = {}

    @property
    def initial(self) -> str:
        """The letter or digit that stands for the brand where there is no logo."""
        return next((character for character in self.name if character.isalnum()), "•").upper()

    @property
    def seller(self) -> str:
        """The company, or the brand's name where no company is given."""
        return self.legal.company or self.name

    @property
    def logos(self) -> Mapping[str, str]:
        """The logo's URL by the grounds that it is for, light and dark; without any, or with the one there is."""
        urls = {"light": self.image_url("logo_light"), "dark": self.image_url("logo_dark")}
        return {ground: url for ground, url in urls.items() if url}

    @property
    def mail_logo_url(self) -> str:
        """The logo's URL on the light ground of mails, or ""."""
        return self.image_url("logo_mail") or self.image_url("logo_light")

    @property
    def mail_logo_dark_url(self) -> str:
        """The logo's URL for mails that are read in the dark, or "" where the other one has to do."""
        return self.image_url("logo_dark") if self.mail_logo_url else ""

    @property
    def social_url(self) -> str:
        """The URL of the picture that links show elsewhere, or "" where it is drawn."""
        return self.image_url("social")

    @property
    def elsewhere(self) -> tuple[tuple[str, str], ...]:
        """Names of networks with the brand's page there."""
        return tuple((title, self.social[key]) for key, title in NETWORKS.items() if key in self.social)

    def image_url(self, kind: str) -> str:
        """The URL of the picture of a kind, or ""."""
        found = self.images.get(kind)
        return IMAGE_PREFIX + found if found else ""

    def in_language(self, lang: str) -> Brand:
        """The brand with its words in a language, each that it lacks as it is."""
        words = self.translations.get(lang) or self.translations.get(lang.partition("-")[0])
        if not words:
            return self
        texts = {name: text for name, text in words.items() if name in BRAND_TEXTS}
        tagline = words.get("tagline") or self.tagline
        return msgspec.structs.replace(self, tagline=tagline, texts={**self.texts, **texts})
