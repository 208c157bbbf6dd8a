"""A storefront from the operator's form to open doors, opened by its own team on the real server."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import httpx
import pytest

from tests.support.accounts import newest_mail
from tests.support.members import Colleague, colleague
from tests.support.product import Shop, eventually

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def op(shops: Callable[[str], Shop]) -> Colleague:
    """One of the operator's people, logged in."""
    return colleague(shops("sqlite"), "platform", "operator")


def boss_of(shop: Shop, op: Colleague, role: str = "owner") -> Colleague:
    """Somebody of the team of a new draft, logged in at its fallback host."""
    slug = f"fresh{next(_NUMBERS)}"
    made = op.send(
        "/tenants/new", name=slug.title(), slug=slug, owner=f"boss@{slug}.example", theme="folio", markup="25%"
    )
    assert made.status_code == 303, made.text
    boss = Colleague(shop, slug, role)
    host = f"{slug}.stalls.localhost:{shop.server.port}"
    boss.http.headers.update({"host": host, "origin": f"http://{host}"})
    eventually(lambda: boss.get("/console/login").status_code == 200, "the new host")
    boss.join()
    return boss


def needed(page: httpx.Response) -> str:
    found = re.search(r"<p class=\"small\">Still needed:.*?</p>", page.text, re.DOTALL)
    return "" if found is None else re.sub(r"<[^>]+>", "", found[0])


def set_up(boss: Colleague) -> None:
    shop, slug = boss.shop, boss.slug
    page = boss.get("/console")
    assert "Still needed: legal data, a way to be paid, wholesale balance" in needed(page)
    assert "Open the storefront</button>" not in page.text
    refused = boss.send("/console", action="open")
    assert refused.status_code == 409
    assert "Something is missing" in refused.text
    form = dict(re.findall(r'name="([\w.]+)"[^>]* value="([^"]*)"', boss.get("/console/brand").text))
    legal = {"company": "Fresh GmbH", "country": "Germany", "address": "Lindenallee 7, 10115 Berlin"}
    fields = {**form, **{f"brand.legal.{name}": value for name, value in legal.items()}, "action": "save"}
    assert boss.send("/console/brand", **fields).status_code == 303
    assert boss.send("/console/brand", **{**fields, "action": "publish"}).status_code == 303
    paid = {"provider": "manual", "instructions": "Transfer to DE00.", "environment": "live", "checkout": "hosted"}
    assert boss.send("/console/payments", **paid).status_code == 303
    shop.ask("wholesale", "deposit", "--tenant", slug, "--amount", "20.00", "--reason", "test")
    assert needed(boss.get("/console")) == ""


def test_an_owner_opens_the_storefront_from_the_first_page(any_shop: Shop, op: Colleague) -> None:
    boss = boss_of(any_shop, op)
    closed = boss.get("/pricing")
    assert closed.status_code == 503
    assert ">503<" not in closed.text
    set_up(boss)
    page = boss.get("/console")
    assert "You may want to have first" in page.text
    assert "Open the storefront</button>" in page.text
    assert boss.send("/console", action="nonsense").headers["location"] == "/console"
    assert boss.send("/console", action="open").headers["location"] == "/console?done=opened"
    eventually(lambda: boss.get("/pricing").status_code == 200, "the opening")
    assert boss.send("/console", action="open").headers["location"] == "/console?done=opened"
    assert "Your storefront is open" in boss.get("/console?done=opened").text
    text = eventually(
        lambda: newest_mail(any_shop, f"boss@{boss.slug}.example", f": your storefront {boss.slug.title()} is open"),
        "the mail",
    )
    assert f"http://{boss.slug}.stalls.localhost" in text
    assert any_shop.ask("tenant", "show", boss.slug)["status"] == "active"
    assert "draft" in boss.get("/console/audit").text


def test_finance_and_support_open_nothing(any_shop: Shop, op: Colleague) -> None:
    for role in ("finance", "support"):
        member = boss_of(any_shop, op, role)
        assert "Set up your storefront" not in member.get("/console").text
        refused = member.send("/console", "/console", action="open")
        assert (refused.status_code, "Your role does not include this" in refused.text) == (403, True)
        assert any_shop.ask("tenant", "show", member.slug)["status"] == "draft"
