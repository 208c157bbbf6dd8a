"""Members as a console's pages know them: invited, with a password and, where the role needs it, an app for codes."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import httpx
import pyotp

from tests.support.accounts import PASSWORD, Visitor
from tests.support.product import Shop

_NUMBERS = itertools.count(1)
_SECRET = re.compile(r"<code data-copy-text>([A-Z2-7]+)</code>")


class Colleague(Visitor):
    """A browser of somebody who runs a storefront (`slug`), or of one of the operator's people (`platform`)."""

    def __init__(self, shop: Shop, slug: str = "solaria", role: str = "admin", address: str = "") -> None:
        super().__init__(shop, slug)
        self.role = role
        self.address = address or f"{role}{next(_NUMBERS)}@{slug}.example"
        self.base = "" if slug == "platform" else "/console"
        self.secret = ""
        if slug == "platform":
            host = f"desk.localhost:{shop.server.port}"
            self.http.headers.update({"host": host, "origin": f"http://{host}"})

    def invite(self) -> str:
        """Be invited by the command line; the path of the mailed link."""
        whom = ("--email", self.address)
        made: dict[str, Any] = (
            self.shop.ask("operator", "invite", *whom)
            if self.slug == "platform"
            else self.shop.ask("member", "invite", "--tenant", self.slug, *whom, "--role", self.role)
        )
        return f"{self.base}/invite?token={made['link'].partition('token=')[2]}"

    def accept(self, path: str) -> httpx.Response:
        """Open an invitation and choose a password."""
        token = path.partition("token=")[2]
        return self.send(f"{self.base}/invite", path, token=token, name="Ada", password=PASSWORD)

    def enrol(self) -> None:
        """Set up an authenticator app, as owners and operators must."""
        path = f"{self.base}/profile/two-factor"
        self.send(path, action="begin")
        found = _SECRET.search(self.get(path).text)
        assert found is not None
        self.secret = found[1]
        answer = self.send(path, code=self.code())
        assert answer.status_code == 200, answer.text

    def code(self, steps: int = 0) -> str:
        """What the app shows now, or so many steps of half a minute later."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * steps)

    def join(self, address: str = "", password: str = PASSWORD) -> None:  # as a customer joins
        """From the invitation to the open console."""
        answer = self.accept(self.invite())
        assert answer.status_code == 303, answer.text
        if self.role in {"owner", "operator"}:
            self.enrol()
        assert self.get(self.base or "/").status_code == 200

    def log_in(self, address: str = "", password: str = PASSWORD, **fields: str) -> httpx.Response:
        return self.send(f"{self.base}/login", email=address or self.address, password=password, **fields)

    def logged_in(self) -> bool:
        """Whether the console opens."""
        return self.get(self.base or "/").status_code == 200


def colleague(shop: Shop, slug: str = "solaria", role: str = "admin") -> Colleague:
    """Somebody of the team, logged in."""
    made = Colleague(shop, slug, role)
    made.join()
    return made
