"""The operator's own pages on the real server: who comes in, what they show, and what their form makes."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from reseller_kit.core.money import format_amount, parse_amount
from tests.support.accounts import Visitor, newest_mail, problems
from tests.support.members import Colleague, colleague
from tests.support.product import Shop, eventually

NEW = {"name": "Nova Shop", "slug": "nova", "owner": "boss@nova.example", "theme": "folio", "markup": "25%"}


@pytest.fixture(scope="module")
def op(shops: Callable[[str], Shop]) -> Colleague:
    """One of the operator's people, logged in."""
    return colleague(shops("sqlite"), "platform", "operator")


def test_an_operator_comes_in_with_two_factors_alone(shop: Shop) -> None:
    ada = Colleague(shop, "platform", "operator")
    path = ada.invite()
    assert path.startswith("/invite?token=")
    text = eventually(
        lambda: newest_mail(shop, ada.address, "Zephyrline Wholesale: your invitation to the team"),
        "the invitation",
    )
    assert "http://desk.localhost" in text
    assert "/console" not in text
    assert ada.accept(path).headers["location"] == "/"
    for closed in ("/", "/team", "/audit", "/tenants/solaria", "/tenants.toml", "/profile"):
        assert ada.get(closed).headers["location"] == "/profile/two-factor", closed
    ada.enrol()
    page = ada.get("/")
    assert page.status_code == 200
    assert page.headers["x-robots-tag"] == "noindex"
    assert "Solaria" in page.text
    code, document = shop.try_("operator", "invite", "--email", ada.address)
    assert (code, document["error"]["code"]) == (5, "conflict")


def test_nobody_else_comes_in(any_shop: Shop, op: Colleague) -> None:
    stranger = Colleague(any_shop, "platform", "operator")
    owner = colleague(any_shop, "solaria", "owner")
    for name, value in owner.http.cookies.items():
        stranger.http.cookies.set(name, value, domain="127.0.0.1", path="/")
    for path in ("/", "/team", "/audit", "/audit/export.json", "/tenants/solaria", "/tenants/new", "/tenants.toml"):
        assert stranger.get(path).headers["location"].startswith("/login?next="), path
        assert Visitor(any_shop).get(path).status_code in {200, 303, 404}, path
    outside = {"x-forwarded-for": "203.0.113.7"}
    for path in ("/metrics", "/schema", "/console", "/account", "/signup", "/v1/models", "/pricing"):
        assert stranger.get(path, headers=outside).status_code == 404, path
    assert op.get("/metrics", headers=outside).text.startswith("# HELP")
    assert op.get("/schema", headers=outside).json()["openapi"] == "3.1.0"
    copy = Visitor(any_shop)
    copy.keep("console", op.http.cookies["console"])
    assert copy.get("/console").headers["location"].startswith("/console/login")
    assert "Zephyrline" not in Visitor(any_shop).get("/console/login").text


def test_a_tenant_is_made_by_the_form_and_kept_by_the_file(any_shop: Shop, op: Colleague) -> None:
    for fields, wrong in (
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "platform"}, "slug"),
        ({"slug": "solaria"}, "slug"),
        ({"slug": "fresh", "owner": "nobody"}, "owner"),
        ({"slug": "fresh", "markup": "lots"}, "markup"),
        ({"slug": "fresh", "host": "solaria.localhost"}, "host"),
        ({"slug": "fresh", "host": "a b"}, "host"),
        ({"slug": "fresh", "theme": "nothing"}, "theme"),
    ):
        answer = op.send("/tenants/new", **{**NEW, **fields})
        assert (answer.status_code, set(problems(answer))) == (422, {wrong}), fields
    made = op.send("/tenants/new", **NEW, status="active")
    assert made.headers["location"] == "/tenants/nova?done=created"
    assert "boss@nova.example" in op.get("/tenants/nova").text
    shown = any_shop.ask("tenant", "show", "nova")
    assert (shown["name"], shown["theme"], shown["status"]) == ("Nova Shop", "folio", "active")
    text = eventually(
        lambda: newest_mail(any_shop, "boss@nova.example", "Nova Shop: your invitation"), "the invitation"
    )
    link = re.search(r"http://(\S+?):\d+(/console/invite\?token=\S+)", text)
    assert link is not None
    assert link[1] == "nova.stalls.localhost"
    file = any_shop.installation.folder / "tenants.toml"
    changes = any_shop.ask("plan", "-f", str(file))["changes"]
    assert ("orphan", "tenant", "nova") in {(one["action"], one["kind"], one["id"]) for one in changes}
    page = op.get("/")
    assert "not in the file" in page.text, any_shop.log()[-3000:]
    exported = file.with_name("exported.toml")
    exported.write_text(op.get("/tenants.toml").text)
    assert any_shop.ask("plan", "-f", str(exported))["changes"] == []
    assert '"nova"' in op.get("/tenants/nova/tenants.toml").text
    assert any_shop.ask("tenant", "export", "nova")["toml"] == op.get("/tenants/nova/tenants.toml").text


def test_a_tenant_is_suspended_with_a_reason(any_shop: Shop, op: Colleague) -> None:
    assert "reason" in problems(op.send("/tenants/turning", action="suspend", reason=" "))
    assert op.send("/tenants/turning", action="suspend", reason="unpaid {{7*7}}").status_code == 303
    assert "unpaid {{7*7}}" in op.get("/tenants/turning").text
    assert any_shop.ask("tenant", "show", "turning")["suspended"] is True
    assert op.send("/tenants/turning", action="resume").status_code == 303
    assert any_shop.ask("tenant", "show", "turning")["suspended"] is False
    assert op.get("/tenants/nobody").status_code == 404
    found = op.get("/audit?text=unpaid").text
    assert op.address in found
    admin = colleague(any_shop, "lunaris")
    assert op.address not in admin.get("/console/audit").text


def test_a_draft_is_opened(any_shop: Shop, op: Colleague) -> None:
    host = f"morrow.stalls.localhost:{any_shop.server.port}"
    op.send("/tenants/new", **{**NEW, "slug": "morrow", "name": "Morrow", "owner": "boss@morrow.example"})
    assert "Open it" in op.get("/tenants/morrow").text
    eventually(lambda: "Morrow" in any_shop.get("/", host).text, "the draft")
    assert any_shop.get("/signup", host).status_code == 503
    assert op.send("/tenants/morrow", action="open").headers["location"] == "/tenants/morrow?done=opened"
    assert any_shop.ask("tenant", "show", "morrow")["status"] == "active"
    eventually(lambda: any_shop.get("/signup", host).status_code == 200, "the opening")
    assert "Open it" not in op.get("/tenants/morrow").text
    # What is open stays as it is, and an archived storefront is the file's to bring back.
    for slug, status in (("morrow", "active"), ("bygone", "archived")):
        op.send(f"/tenants/{slug}", action="open")
        assert any_shop.ask("tenant", "show", slug)["status"] == status
    assert op.send("/tenants/nobody", form_of="/", action="open").status_code == 404


def test_the_schema_names_routes_that_there_are(any_shop: Shop) -> None:
    found = any_shop.get("/schema", "desk.localhost").json()
    assert found["info"]["title"] == "Storefront API"
    asked = 0
    for path, operations in found["paths"].items():
        url = path.replace("{model}", "gpt-5-mini").replace("{id}", "req_1")
        for method in operations:
            answer = any_shop.request(method.upper(), url, "solaria.localhost", b"{}")
            assert answer.status_code == 401, (method, path)
            asked += 1
    assert asked > 25
    assert any_shop.get("/schema", "solaria.localhost").status_code == 404


def test_operators_invite_and_remove_each_other(any_shop: Shop, op: Colleague) -> None:
    other = Colleague(any_shop, "platform", "operator")
    assert op.send("/team", action="invite", email=other.address, role="operator").status_code == 303
    assert summary(op.send("/team", action="invite", email="x@x.example", role="owner"))
    subject = "Zephyrline Wholesale: your invitation to the team"
    text = eventually(lambda: newest_mail(any_shop, other.address, subject), "the invitation")
    link = re.search(r"http://\S+?(/invite\?token=\S+)", text)
    assert link is not None
    other.accept(link[1])
    other.enrol()
    assert other.logged_in()
    assert op.send("/team", action="remove", member=other.address).status_code == 303
    assert not other.logged_in()


def summary(page: httpx.Response) -> str:
    found = re.search(r'<div class="form-problems".*?</div>', page.text, re.DOTALL)
    return "" if found is None else found[0]


def test_money_of_all_levels_is_the_records(any_shop: Shop, op: Colleague) -> None:
    customer = any_shop.customer("lunaris")
    any_shop.call(customer)
    eventually(lambda: any_shop.records(customer), "the record")
    eventually(lambda: any_shop.ask("ledger", "audit")["open_holds"] == 0, "the end of other tests' calls")
    total = any_shop.ask("wholesale", "margin", "--tenant", "lunaris")["total"]
    page = op.get("/tenants/lunaris").text
    for level in ("retail", "wholesale"):
        assert f'title="${total[level]}"' in page, level
    everything = [
        any_shop.ask("wholesale", "margin", "--tenant", one["slug"])["total"]
        for one in any_shop.ask("tenant", "list")["tenants"]
    ]
    page = op.get("/").text
    for level in ("retail", "wholesale", "cost", "operator_margin"):
        told = format_amount(sum(parse_amount(one[level], negative=True) for one in everything))
        assert f'title="${told}"' in page, level
