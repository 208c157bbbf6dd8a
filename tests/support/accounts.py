"""Customers as a storefront's pages know them: a browser without a screen, and the mails that it gets."""

from __future__ import annotations

import email
import itertools
import re
import ssl
from email import policy
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from tests.support.product import LITERALS, Shop, eventually

PASSWORD = "correct horse battery"
_NUMBERS = itertools.count()
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Without the authorities of the internet, which each visitor would load for nothing."""
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_PROBLEM = re.compile(r'<p class="problem" id="([a-z_-]+)-problem">([^<]*)</p>')


class Visitor:
    """A browser on one storefront: keeps cookies, fills in forms as they are shown."""

    def __init__(self, shop: Shop, slug: str = "solaria", **headers: str) -> None:
        self.shop = shop
        self.slug = slug
        literal = LITERALS.get(slug)
        host = f"{literal or f'{slug}.localhost'}:{shop.server.port}"
        # No connection stays open: a test makes many visitors and closes none.
        limits = httpx.Limits(max_keepalive_connections=0)
        own = {"host": host, "origin": f"http://{host}", **headers}
        reached = f"http://{literal or '127.0.0.1'}:{shop.server.port}"
        # Everybody comes from an address of its own, as visitors do: sign-ups from one address have to wait.
        number = next(_NUMBERS)
        address = f"127.9.{number // 250}.{number % 250 + 1}"
        way = httpx.HTTPTransport(local_address=address, limits=limits, verify=_NO_TLS)
        self.http = httpx.Client(base_url=reached, trust_env=False, timeout=60, headers=own, transport=way)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def keep(self, name: str, value: str) -> None:
        """Put a cookie into the browser, in the place of its own of that name."""
        self.http.cookies.set(name, value, domain=LITERALS[self.slug], path="/")

    def send(self, path: str, form_of: str | None = None, **fields: str) -> httpx.Response:
        """Send the form of a page (of `path` itself by default) as it is shown, with these fields filled in."""
        page = self.get(form_of or path)
        guard = dict(_HIDDEN.findall(page.text)).get("csrf", "")
        return self.http.post(path, data={"csrf": guard, **fields})

    def join(self, address: str, password: str = PASSWORD) -> None:
        """Sign up, open the mailed link, and be logged in."""
        answer = self.send("/signup", email=address, password=password, name="Jane", terms="yes")
        assert answer.status_code == 200, answer.text
        confirmed = self.get(self.link(address, "confirm your address"))
        assert (confirmed.status_code, confirmed.headers["location"]) == (303, "/account")

    def log_in(self, address: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        return self.send("/login", email=address, password=password, **fields)

    def link(self, address: str, subject: str) -> str:
        """Path and query of the link in the latest mail to an address."""
        text = eventually(
            lambda: newest_mail(self.shop, address, f": {subject}", self.slug.title()),
            f"a mail to {address}: {subject}",
        )
        found = re.search(r"https?://[^/\s]+(/\S+\?token=\S+)", text)
        assert found is not None, text
        return found[1]

    def logged_in(self) -> bool:
        """Whether the account's pages open."""
        return self.get("/account").status_code == 200


def newest_mail(shop: Shop, address: str, subject: str, begins: str = "") -> str | None:
    """The text of the latest mail to an address whose subject holds these words, and begins so."""
    folder = Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]) / "mail"
    for file in sorted(folder.glob("*.eml"), reverse=True):
        raw = file.read_bytes()
        if address.encode() not in raw:  # everybody's mails lie here, and reading one takes a while
            continue
        letter = email.message_from_bytes(raw, policy=policy.default)
        if letter["to"] == address and subject in letter["subject"] and letter["subject"].startswith(begins):
            body = letter.get_body(("plain",))
            assert body is not None
            return str(body.get_content())
    return None


def problems(page: httpx.Response) -> dict[str, str]:
    """Field → what its page says is wrong."""
    return {field: unescape(text) for field, text in _PROBLEM.findall(page.text)}
