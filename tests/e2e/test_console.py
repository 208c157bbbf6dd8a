"""The console of a reseller's team on the real server: who comes in, who sees what, and whom it does not know."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from reseller_kit.core.roles import TEAM_ROLES, may
from tests.support.accounts import PASSWORD, Visitor, newest_mail, problems
from tests.support.console_routes import DOORS, console_routes
from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Shop, eventually

REFUSED = "Your role does not include this"
GUARD = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@pytest.fixture(scope="module")
def team(shops: Callable[[str], Shop]) -> dict[str, Colleague]:
    """One of each role, logged in."""
    return {role: colleague(shops("sqlite"), role=role) for role in TEAM_ROLES}


def summary(page: httpx.Response) -> str:
    found = re.search(r'<div class="form-problems".*?</div>', page.text, re.DOTALL)
    return "" if found is None else re.sub(r"<[^>]+>", " ", found[0])


def test_an_owner_comes_in_with_a_password_and_a_code_and_not_without(shop: Shop) -> None:
    ada = Colleague(shop, role="owner")
    path = ada.invite()
    page = ada.get(path)
    assert page.status_code == 200
    assert ada.address in page.text
    assert {"no-store", "noindex"} <= {page.headers["cache-control"], page.headers["x-robots-tag"]}
    assert ada.accept(path).headers["location"] == "/console"
    assert ada.get(path).status_code == 410
    for closed in ("/console", "/console/team", "/console/profile"):
        assert ada.get(closed).headers["location"] == "/console/profile/two-factor"
    ada.enrol()
    assert ada.logged_in()
    again = Colleague(shop, role="owner", address=ada.address)
    again.secret = ada.secret
    page = again.log_in(next="/console/team?x=1")
    assert not again.logged_in()
    guard = GUARD.search(page.text)
    assert guard is not None
    form = {"csrf": guard[1], "next": "/console/team?x=1"}
    assert problems(again.http.post("/console/login", data={**form, "code": "000000"})).keys() == {"code"}
    code = again.code(1)
    assert again.http.post("/console/login", data={**form, "code": code}).headers["location"] == "/console/team?x=1"
    assert again.logged_in()
    assert again.send("/console/logout", "/console").headers["location"] == "/console/login?done=out"
    assert not again.logged_in()


def test_every_role_on_every_route(any_shop: Shop, team: dict[str, Colleague]) -> None:
    for role, member in team.items():
        guard = GUARD.search(member.get("/console").text)
        assert guard is not None
        for route in console_routes():
            if route.path in DOORS or route.path.startswith("/console/profile"):
                continue
            answer = member.http.request(
                route.method, route.url, data={"csrf": guard[1]} if route.method != "GET" else None
            )
            where = (role, route.method, route.url)
            permitted = route.right is None or may(role, route.right, route.edit)  # type: ignore[arg-type]
            assert answer.status_code < 500, where
            assert (REFUSED in answer.text) == (not permitted), where
            if not permitted:
                assert answer.status_code == 403, where
    stranger = Visitor(any_shop)
    for route in console_routes():
        answer = stranger.http.request(route.method, route.url)
        if route.path not in DOORS:
            assert answer.headers["location"].startswith("/console/login?next="), route


def test_a_member_of_one_brand_is_nobody_on_another(any_shop: Shop, team: dict[str, Colleague]) -> None:
    ours = team["admin"]
    theirs = Visitor(any_shop, "lunaris")
    for name, value in ours.http.cookies.items():
        theirs.keep(name, value)
    assert theirs.get("/console").status_code == 303
    stranger = Colleague(any_shop, "lunaris", address=ours.address)
    assert "E-mail or password is wrong." in summary(stranger.log_in())
    page = Visitor(any_shop, "lunaris").get(Colleague(any_shop).invite())
    assert page.status_code == 410


def test_customers_and_members_are_not_each_other(any_shop: Shop, team: dict[str, Colleague]) -> None:
    jane = Visitor(any_shop)
    jane.join("jane.of.console@solaria.example")
    assert jane.get("/console").headers["location"].startswith("/console/login")
    jane.keep("console", jane.http.cookies["session"])
    assert jane.get("/console").headers["location"].startswith("/console/login")
    member = team["admin"]
    assert member.get("/account").headers["location"].startswith("/login")
    copy = Visitor(any_shop)
    copy.keep("session", member.http.cookies["console"])
    assert copy.get("/account").headers["location"].startswith("/login")
    customers_guard = GUARD.search(jane.get("/account").text)
    assert customers_guard is not None
    form = {"csrf": customers_guard[1], "action": "invite", "email": "eve@x.example", "role": "owner"}
    assert member.http.post("/console/team", data=form).status_code == 403
    assert "Customer log-in" in Visitor(any_shop).get("/console/login").text


def test_a_form_from_elsewhere_is_refused(team: dict[str, Colleague]) -> None:
    member = team["owner"]
    guard = GUARD.search(member.get("/console/team").text)
    assert guard is not None
    form = {"csrf": guard[1], "action": "invite", "email": "eve@solaria.example", "role": "owner"}
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": f"http://{LITERALS['lunaris']}"}):
        assert member.http.post("/console/team", data=form, headers=headers).status_code == 403
    assert member.http.post("/console/team", data={**form, "csrf": "0" * 64}).status_code == 403
    assert "eve@solaria.example" not in member.get("/console/team").text


def test_a_team_is_invited_changed_and_removed_on_its_page(any_shop: Shop, team: dict[str, Colleague]) -> None:
    owner, admin = team["owner"], team["admin"]
    grace = Colleague(any_shop, address="grace@solaria.example")
    sent = admin.send("/console/team", action="invite", email="Grace@solaria.example", name="Grace", role="finance")
    assert sent.headers["location"] == "/console/team?done=invited"
    text = eventually(
        lambda: newest_mail(any_shop, grace.address, "Solaria: your invitation to the team"), "the invitation"
    )
    assert "Zephyrline" not in text
    link = re.search(r"http://\S+?(/console/invite\?token=\S+)", text)
    assert link is not None
    assert grace.accept(link[1]).headers["location"] == "/console"
    assert grace.logged_in()
    assert grace.get("/console/team").status_code == 403
    for member, fields, field in (
        (admin, {"action": "invite", "email": grace.address, "role": "finance"}, "email"),
        (admin, {"action": "invite", "email": "no address", "role": "finance"}, "email"),
    ):
        assert problems(member.send("/console/team", **fields)).keys() == {field}
    for member, fields in (
        (admin, {"action": "invite", "email": "eve@solaria.example", "role": "owner"}),
        (admin, {"action": "role", "member": grace.address, "role": "owner"}),
        (admin, {"action": "role", "member": owner.address, "role": "support"}),
        (admin, {"action": "remove", "member": owner.address}),
        (admin, {"action": "role", "member": grace.address, "role": "operator"}),
    ):
        answer = member.send("/console/team", **fields)
        assert (answer.status_code, bool(summary(answer))) == (422, True), fields
    assert admin.send("/console/team", action="remove", member="nobody@solaria.example").status_code == 404
    assert owner.send("/console/team", action="role", member=grace.address, role="admin").status_code == 303
    assert grace.get("/console/team").status_code == 200
    assert owner.send("/console/team", action="remove", member=grace.address).status_code == 303
    assert not grace.logged_in()
    assert "E-mail or password is wrong." in summary(grace.log_in())


def test_the_last_owner_stays(any_shop: Shop) -> None:
    ada = colleague(any_shop, "lunaris", "owner")
    for fields in ({"action": "remove"}, {"action": "role", "role": "admin"}):
        others = any_shop.ask("member", "list", "--tenant", "lunaris")["members"]
        for other in others:
            if other["role"] == "owner" and other["email"] != ada.address:
                any_shop.ask("member", "remove", "--tenant", "lunaris", "--email", other["email"])
        answer = ada.send("/console/team", member=ada.address, **fields)
        assert "The team needs an owner" in summary(answer)
    code, document = any_shop.try_("member", "remove", "--tenant", "lunaris", "--email", ada.address)
    assert (code, document["error"]["message"]) == (5, "The team needs an owner.")
    code, _ = any_shop.try_("member", "invite", "--tenant", "lunaris", "--email", ada.address, "--role", "admin")
    assert code == 5
    assert ada.logged_in()


def test_a_new_invitation_ends_the_earlier_one_and_a_reset_ends_sessions(any_shop: Shop) -> None:
    bob = Colleague(any_shop)
    first, second = bob.invite(), bob.invite()
    assert bob.get(first).status_code == 410
    assert problems(bob.send("/console/invite", second, token=second.partition("token=")[2], name="", password="x"))
    bob.accept(second)
    assert bob.logged_in()
    asked = Visitor(any_shop).send("/console/reset", email=bob.address)
    unknown = Visitor(any_shop).send("/console/reset", email="nobody@solaria.example")
    assert asked.status_code == unknown.status_code == 200
    path = Visitor(any_shop).link(bob.address, "set a new console password")
    token = path.partition("token=")[2]
    other = Colleague(any_shop, address=bob.address)
    assert other.send("/console/reset", path, token=token, password="another password").status_code == 303
    assert other.logged_in()
    assert not bob.logged_in()
    assert other.get(path).status_code == 410


def test_the_profile_changes_the_own_log_in(any_shop: Shop) -> None:
    bob = colleague(any_shop)
    assert bob.send("/console/profile", action="name", name="{{7*7}} <b>Bob</b>").status_code == 303
    assert "{{7*7}} &lt;b&gt;Bob&lt;/b&gt;" in bob.get("/console").text
    wrong = bob.send("/console/profile", action="password", password="wrong", new_password="another password")
    assert (wrong.status_code, "password-password" in problems(wrong)) == (422, True)
    elsewhere = Colleague(any_shop, address=bob.address)
    elsewhere.log_in()
    assert elsewhere.logged_in()
    right = bob.send("/console/profile", action="password", password=PASSWORD, new_password="another password")
    assert right.status_code == 303
    assert bob.logged_in()
    assert not elsewhere.logged_in()
    assert bob.send("/console/profile", action="two_factor_on", password="another password").status_code == 303
    bob.enrol()
    answer = bob.send("/console/profile", action="two_factor_off", password="another password")
    assert answer.headers["location"] == "/console/profile?done=two_factor_off"


def test_a_storefront_that_is_not_open_has_a_console(any_shop: Shop) -> None:
    draft = colleague(any_shop, "sketch", "admin")
    assert "This storefront is a draft" in draft.get("/console").text
    assert draft.get("/").status_code == 503
    assert Visitor(any_shop, "bygone").get("/console/login").status_code == 410
    assert draft.get("/console/nothing").status_code == 404
    assert "storefront/error" not in draft.get("/console/nothing").text
