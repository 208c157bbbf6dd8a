"""A member looks at the portal as a customer sees it: what shows, what is refused, when it ends, what is noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from reseller_kit import theming
from reseller_kit.web.account import account_handlers
from reseller_kit.web.pages import Pages
from tests.support.accounts import Visitor
from tests.support.console_routes import routes_of
from tests.support.members import Colleague, colleague
from tests.support.product import Customer, Shop

BANNER = 'class="viewing"'
REFUSED = "Not while you view as a customer"
SHOWN = ("/account", "/account/keys", "/account/usage", "/account/billing", "/account/support", "/account/restriction")
"""Pages that need no id."""
VIEWABLE = {
    *SHOWN,
    "/account/keys/{key_id:str}",
    "/account/usage/{record_id:str}",
    "/account/billing/orders/{order_id:str}",
    "/account/billing/orders/{order_id:str}/receipt",
    "/account/billing/statements",
    "/account/billing/statements/{name:str}",
    "/account/billing/subscriptions/{subscription_id:str}",
    "/account/support/{case_id:str}",
}
"""All that a view shows. What is added here must hold no secret, send nothing and take nothing along."""
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_PARAMETER = re.compile(r"\{[^}]+\}")


@pytest.fixture(scope="module")
def shop(shops: Callable[[str], Shop]) -> Shop:
    return shops("sqlite")


@pytest.fixture
def support(shop: Shop) -> Colleague:
    return colleague(shop, role="support")


def view(member: Colleague, customer: Customer, reason: str = "Ticket 7") -> httpx.Response:
    """Begin to look as the customer."""
    path = f"/console/customers/{customer.id}"
    return member.send(f"{path}/view", path, reason=reason)


def handlers() -> list[Any]:
    return list(account_handlers(Pages(theming.load(), 8000)))


def portal_routes() -> Iterator[tuple[str, str, bool]]:
    """Method, path and whether a view shows it, of every route of customers' pages."""
    for handler in handlers():
        for route in routes_of([handler]):
            yield route.method, route.path, bool(handler.opt.get("viewable"))


def noted(shop: Shop, customer: Customer) -> list[tuple[str, str]]:
    """What the audit log has of views of this customer, oldest first."""
    rows = shop.ask("audit", "list", "--tenant", customer.slug, "--limit", "200")["events"]
    return [
        (row["action"], row["actor"])
        for row in reversed(rows)
        if row["ref"] == customer.id and ".view" in row["action"]
    ]


def test_what_a_view_shows_is_written_down_here() -> None:
    assert {path for _, path, viewable in portal_routes() if viewable} == VIEWABLE
    assert {method for method, _, viewable in portal_routes() if viewable} == {"GET"}


def test_the_portal_is_shown_as_the_customer_sees_it(shop: Shop, support: Colleague) -> None:
    customer = shop.customer(name="laptop")
    assert shop.call(customer).status_code == 200
    begun = view(support, customer)
    assert (begun.status_code, begun.headers["location"]) == (303, "/account")
    for path in (*SHOWN, f"/account/keys/{customer.key_id}", "/account/billing/statements"):
        page = support.get(path)
        assert (page.status_code, BANNER in page.text, customer.email in page.text) == (200, True, True), path
        assert page.headers["cache-control"] == "no-store"
    assert "laptop" in support.get("/account/keys").text
    assert "/account/usage/live" not in support.get("/account/usage").text
    assert BANNER not in support.get("/pricing").text
    assert support.get("/console").status_code == 200


def test_everything_else_is_refused(shop: Shop, support: Colleague) -> None:
    """Every POST of customers' pages, and every GET that shows a secret, calls a model or gives a file."""
    customer = shop.customer()
    view(support, customer)
    guard = _CSRF.search(support.get("/account/keys").text)
    assert guard is not None
    walked = 0
    for method, path, viewable in portal_routes():
        if viewable or (method == "GET" and not path.startswith("/account")):
            continue
        url = _PARAMETER.sub("nothing", path)
        for csrf in (guard[1], support_csrf(support), ""):
            sent = {"csrf": csrf, "action": "close", "email": "x@x.example"}
            answer = support.http.request(method, url, data=sent if method == "POST" else None)
            assert (answer.status_code, REFUSED in answer.text) == (403, True), (method, url)
            assert BANNER in answer.text
        walked += 1
    assert walked > 20
    playground = support.http.post(
        "/account/playground/answer", json={"model": "gpt-5", "messages": []}, headers={"x-csrf-token": guard[1]}
    )
    assert (playground.status_code, REFUSED in playground.text) == (403, True)
    assert support.get("/account/billing/statements/2026-01.csv").status_code == 403
    assert support.get("/account/billing/statements/2026-01.pdf").status_code == 403
    assert len(shop.ask("key", "list", *customer.owner)["keys"]) == 1


def support_csrf(member: Colleague) -> str:
    """What forms of the console carry."""
    found = _CSRF.search(member.get("/console").text)
    assert found is not None
    return found[1]


def test_a_reason_and_the_right_are_needed(shop: Shop, support: Colleague) -> None:
    customer = shop.customer(credit=None)
    without = view(support, customer, reason=" ")
    assert (without.status_code, 'role="alert"' in without.text) == (422, True)
    finance = colleague(shop, role="finance")
    assert view(finance, customer).status_code == 403
    assert "View as customer" not in finance.get(f"/console/customers/{customer.id}").text
    theirs = shop.customer("lunaris", credit=None)
    answer = support.send(f"/console/customers/{theirs.id}/view", "/console", reason="Curious")
    assert answer.status_code == 404
    assert "view" not in support.http.cookies
    assert noted(shop, customer) == []


def test_each_step_is_in_the_audit_log(shop: Shop, support: Colleague) -> None:
    customer = shop.customer(credit=None)
    view(support, customer, reason="<b>Ticket</b> {{7*7}}")
    support.get("/account")
    support.get("/account/keys?cursor=")
    support.get("/account/security")
    ended = support.send("/console/view/end", "/console")
    assert (ended.status_code, ended.headers["location"]) == (303, f"/console/customers/{customer.id}")
    actor = f"member:{support.address}"
    assert noted(shop, customer) == [
        ("customer.view", actor),
        ("customer.view_page", actor),
        ("customer.view_page", actor),
        ("customer.view_end", actor),
    ]
    page = colleague(shop, role="owner").get(f"/console/audit?kind=customer&q={customer.id}").text
    for text in ("&lt;b&gt;Ticket&lt;/b&gt; {{7*7}}", "/account/keys"):
        assert text in page
    assert support.get("/account").headers["location"].startswith("/login")
    assert support.send("/console/view/end", "/console").headers["location"] == "/console/customers"


def test_the_browsers_own_customer_is_untouched(shop: Shop, support: Colleague) -> None:
    own = "own.of.view@solaria.example"
    browser = Visitor(shop)
    browser.join(own)
    support.keep("session", browser.http.cookies["session"])
    assert own in support.get("/account").text
    customer = shop.customer(credit=None)
    view(support, customer)
    page = support.get("/account").text
    assert (customer.email in page, own in page) == (True, False)
    assert support.http.post("/account/security", data={"csrf": _csrf(browser), "action": "close"}).status_code == 403
    support.send("/console/view/end", "/console")
    assert own in support.get("/account").text
    assert own in browser.get("/account").text


def _csrf(browser: Visitor) -> str:
    found = _CSRF.search(browser.get("/account/keys").text)
    assert found is not None
    return found[1]


def test_it_ends_with_the_members_log_in(shop: Shop, support: Colleague) -> None:
    customer = shop.customer(credit=None)
    view(support, customer)
    token = support.http.cookies["view"]
    support.send("/console/logout")
    support.keep("view", token)
    assert support.get("/account").headers["location"].startswith("/login")
    assert support.log_in().status_code == 303
    assert support.get("/account").headers["location"].startswith("/login"), "another log-in of the same member"


@pytest.mark.parametrize("how", ["role", "removed"])
def test_it_ends_with_the_members_right(shop: Shop, support: Colleague, how: str) -> None:
    customer = shop.customer(credit=None)
    view(support, customer)
    assert support.get("/account").status_code == 200
    whom = ("--tenant", "solaria", "--email", support.address)
    if how == "role":
        owner = colleague(shop, role="owner")
        sent = owner.send("/console/team", action="role", member=support.address, role="finance")
        assert sent.status_code == 303
    else:
        shop.ask("member", "remove", *whom)
    assert support.get("/account").headers["location"].startswith("/login")


def test_it_is_worth_nothing_without_the_member_or_at_another_brand(shop: Shop, support: Colleague) -> None:
    customer = shop.customer()
    view(support, customer)
    token = support.http.cookies["view"]
    alone = Visitor(shop)
    alone.keep("view", token)
    assert alone.get("/account").headers["location"].startswith("/login")
    other = colleague(shop, role="support")
    other.keep("view", token)
    assert other.get("/account").headers["location"].startswith("/login")
    stranger = colleague(shop, "lunaris", role="support")
    stranger.keep("view", token)
    assert stranger.get("/account").headers["location"].startswith("/login")
    for given in (token, f"{token}x", "x" * 64, "cus_.."):
        headers = {"authorization": f"Bearer {given}", "host": customer.host, "cookie": f"view={given}"}
        assert shop.http.get(f"{customer.origin}/v1/models", headers=headers).status_code == 401


def test_a_deleted_customer_is_not_shown(shop: Shop, support: Colleague) -> None:
    assert support.send("/console/customers/cus_nothing/view", "/console", reason="x").status_code == 404
