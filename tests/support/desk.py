"""A member of a reseller's team at the console, as a browser without a screen."""

from __future__ import annotations

import itertools
from urllib.parse import urlsplit

from tests.support.accounts import PASSWORD, Visitor
from tests.support.product import Shop

_NUMBERS = itertools.count(1)


def seat(shop: Shop, slug: str = "solaria", role: str = "admin") -> Visitor:
    """A member who was invited by command and has set a password, logged in."""
    address = f"{role}{next(_NUMBERS)}@team.{slug}.example"
    link = urlsplit(shop.ask("member", "invite", "--tenant", slug, "--email", address, "--role", role)["link"])
    visitor = Visitor(shop, slug)
    token = link.query.partition("token=")[2]
    invited = visitor.send("/console/invite", f"{link.path}?{link.query}", token=token, name="Kim", password=PASSWORD)
    assert invited.status_code == 303, invited.text
    return visitor
