"""Groups of customers on the real server: made in the console, met in the portal, paid at the API, taken back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from fractions import Fraction

import httpx
import pytest

from tests.support.accounts import Visitor
from tests.support.members import Colleague, colleague
from tests.support.product import Customer, Shop, eventually, open_shop

HOME = "/console/customers/groups"
NEW = f"{HOME}/new"
EDIT = f"{HOME}/edit"
SOON = 10.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("groups")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(shop: Shop) -> Colleague:
    return colleague(shop, "solaria", "admin")


@pytest.fixture
def partners(shop: Shop, ada: Colleague) -> Iterator[str]:
    """A group at a markup of 10 %, withdrawn afterwards."""
    assert save(ada, NEW, title="Partners", markup="10%").status_code == 303
    yield "partners"
    withdraw(ada, "partners")


def mark(page: str) -> str:
    found = re.search(r'name="mark" value="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


def save(member: Colleague, path: str, do: str = "save", **fields: str) -> httpx.Response:
    return member.send(path, do=do, **{"mark": mark(member.get(path).text), **fields})


def withdraw(member: Colleague, group: str) -> None:
    page = member.get(HOME).text
    if f"{EDIT}/{group}" in page:
        assert member.send(HOME, do="withdraw", code=group, mark=mark(page)).status_code == 303


def put(member: Colleague, customer: Customer, shop: Shop, group: str) -> None:
    """Into a group, by the page of the customer."""
    found = shop.ask("customer", "show", *customer.owner)["id"]
    path = f"/console/customers/{found}"
    assert member.send(f"{path}/credit", path, action="group", group=group).status_code == 303


def price_for(customer: Customer, shop: Shop, model: str = "gpt-5-mini") -> str:
    answer = shop.http.get(f"{customer.origin}/pricing.json", headers=customer.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return str(next(one["prices"]["input"] for one in answer.json()["models"] if one["name"] == model))


def public_price(shop: Shop, model: str = "gpt-5-mini") -> str:
    answer = shop.get("/pricing.json", "solaria.localhost")
    assert answer.headers["cache-control"].startswith("public")
    return str(next(one["prices"]["input"] for one in answer.json()["models"] if one["name"] == model))


def test_a_member_pays_its_own_price_within_a_second_and_the_record_says_so(
    shop: Shop, ada: Colleague, partners: str
) -> None:
    kim, lee = shop.customer(), shop.customer()
    # Of gpt-5, which a rule gives a price of its own, they would pay what everybody does.
    usual = public_price(shop)
    assert price_for(kim, shop) == usual
    put(ada, kim, shop, partners)
    own = eventually(lambda: ((found := price_for(kim, shop)) != usual and found) or None, "its own prices", SOON)
    assert Fraction(own) < Fraction(usual)
    assert (public_price(shop), price_for(lee, shop)) == (usual, usual)
    records = []
    for customer in (kim, lee):
        answer = shop.call(customer, model="gpt-5-mini")
        records.append(shop.record(customer, answer.headers["x-request-id"]))
        told = shop.ask("usage", "explain", answer.headers["x-request-id"])
        assert (told["totals"]["retail"]["group"], told["matches"]) == (partners if customer is kim else None, True)
    mine, others = records
    assert mine["wholesale"] == others["wholesale"]
    assert Fraction(mine["retail"]) < Fraction(others["retail"])
    shop.assert_books_are_right()
    # Withdrawn, it pays what everybody does; what was charged stays what it was.
    withdraw(ada, partners)
    eventually(lambda: price_for(kim, shop) == usual or None, "everybody's prices", SOON)
    assert shop.record(kim, mine["id"]) == mine


def test_pages_show_whoever_is_logged_in_its_own_prices(shop: Shop, ada: Colleague, partners: str) -> None:
    visitor = Visitor(shop)
    visitor.join("member@solaria.example")
    path = "/models/gpt-5-mini"
    before = visitor.get(path).text
    shown = f"${public_price(shop)}"
    assert shown in before
    shop.ask("customer", "update", "--tenant", "solaria", "--customer", "member@solaria.example", "--group", partners)
    eventually(lambda: shown not in visitor.get(path).text or None, "the group's page", SOON)
    feed = visitor.get("/pricing.json")
    own = next(one["prices"]["input"] for one in feed.json()["models"] if one["name"] == "gpt-5-mini")
    assert (f"${own}" in visitor.get(path).text, feed.headers["cache-control"]) == (True, "no-store")
    assert "access-control-allow-origin" not in feed.headers
    for page in ("/models", "/pricing", "/models/compare?m=gpt-5-mini&m=tiny"):
        assert shown not in visitor.get(page).text, page
    assert shown in shop.get(path, "solaria.localhost").text
    for page in (path, "/models", "/account", "/account/playground", "/pricing"):
        assert "Partners" not in visitor.get(page).text


def test_limits_of_a_group_hold_for_its_members(shop: Shop, ada: Colleague) -> None:
    assert save(ada, NEW, title="Slow", code="slow", requests_per_minute="1").status_code == 303
    kim = shop.customer()
    put(ada, kim, shop, "slow")

    def limited() -> bool:
        return shop.call(kim).status_code == 429

    eventually(lambda: limited() or None, "a call over the limit", SOON)
    withdraw(ada, "slow")
    eventually(lambda: (not limited()) or None, "calls without the limit", SOON)


def test_a_group_is_previewed_made_changed_and_withdrawn(shop: Shop, ada: Colleague) -> None:
    wrong = save(ada, NEW, title="VIP", markup="-50%", do="preview")
    assert wrong.status_code == 422
    assert "Retail lies below wholesale" in html.unescape(wrong.text)
    assert 'value="-50%"' in wrong.text
    assert 'id="markup-problem"' in wrong.text
    shown = save(ada, NEW, title="VIP", markup="15", do="preview")
    assert (shown.status_code, "What they would pay" in shown.text) == (200, True)
    assert "1.333333" not in shown.text, "what the operator pays"
    assert f"{EDIT}/vip" not in ada.get(HOME).text
    for fields, field in (
        ({"title": ""}, "title"),
        ({"title": "VIP", "markup": "lots"}, "markup"),
        ({"title": "VIP", "requests_per_minute": "many"}, "requests_per_minute"),
        ({"title": "VIP", "code": "none"}, "code"),
        ({"title": "VIP", "code": "a b"}, "code"),
        ({"title": "VIP", "tokens_per_minute": "0"}, "tokens_per_minute"),
    ):
        answer = save(ada, NEW, **fields)
        assert (answer.status_code, f'id="{field}-problem"' in answer.text) == (422, True), fields
    stale = mark(ada.get(NEW).text)
    assert save(ada, NEW, title="VIP", markup="15").headers["location"] == f"{HOME}?done=saved"
    assert save(ada, NEW, title="Other", mark=stale).status_code == 409
    assert save(ada, NEW, title="VIP", code="vip").status_code == 422
    file = shop.installation.folder / "tenants.toml"
    drift = [one for one in shop.ask("plan", "-f", str(file))["changes"] if one["action"] == "drift"]
    assert any("groups" in one["fields"] for one in drift)
    page = ada.get(f"{EDIT}/vip").text
    assert 'value="15%"' in page
    assert save(ada, f"{EDIT}/vip", title="VIPs", markup="", allow_loss="yes").status_code == 303
    assert "VIPs" in ada.get(HOME).text
    assert ada.get(f"{EDIT}/gone").status_code == 404
    withdraw(ada, "vip")
    gone = ada.send(HOME, do="withdraw", code="vip", mark=mark(ada.get(NEW).text))
    assert gone.status_code == 404


def test_who_may_not_change_prices_may_not_change_groups(shop: Shop, ada: Colleague, partners: str) -> None:
    finance, helper = colleague(shop, "solaria", "finance"), colleague(shop, "solaria", "support")
    page = finance.get(f"{EDIT}/{partners}")
    assert (page.status_code, ">Save</button>" in page.text) == (200, False)
    assert finance.send(HOME, HOME, do="withdraw", code=partners, mark="x").status_code == 403
    assert finance.send(f"{EDIT}/{partners}", HOME, do="save", title="x").status_code == 403
    assert helper.get(HOME).status_code == 403
    assert HOME not in helper.get("/console/customers").text
    stranger = colleague(shop, "lunaris", "admin")
    assert stranger.get(f"{EDIT}/{partners}").status_code == 404
    assert f"{EDIT}/{partners}" not in stranger.get(HOME).text
