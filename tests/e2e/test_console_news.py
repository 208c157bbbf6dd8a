"""Announcements and vouchers in a reseller's console, on the real server."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.accounts import Visitor
from tests.support.members import Colleague, colleague
from tests.support.product import Shop, eventually

NEWS = "/console/announcements"
VOUCHERS = "/console/vouchers"
CODES = re.compile(r"data-copy-text>([^<]+)</pre>")


@pytest.fixture(scope="module")
def admin(shops: Callable[[str], Shop]) -> Colleague:
    return colleague(shops("sqlite"))


@pytest.fixture(scope="module")
def stranger(shops: Callable[[str], Shop]) -> Colleague:
    return colleague(shops("sqlite"), "lunaris")


def told(shop: Shop, title: str = "") -> list[dict[str, object]]:
    """The announcements of that title, or all of them."""
    rows = shop.ask("announcement", "list", "--tenant", "solaria", "--limit", "1000")["announcements"]
    return [row for row in rows if title in {"", row["title"]}]


def test_an_announcement_is_previewed_published_once_and_ended(any_shop: Shop, admin: Colleague) -> None:
    title = "{{7*7}} <b>Sunday</b>"
    form = {"title": title, "kind": "maintenance", "body": "We are **away** <script>", "ends": "2035-01-01T12:30"}
    before = len(told(any_shop))
    preview = admin.send(NEWS, action="preview", **form)
    assert preview.status_code == 200
    for shown in (
        "{{7*7}} &lt;b&gt;Sunday&lt;/b&gt;",
        "We are <strong>away</strong> &lt;script&gt;",
        "2035-01-01T12:30",
    ):
        assert shown in preview.text
    assert len(told(any_shop)) == before
    for _ in range(2):
        assert admin.send(NEWS, action="publish", **form).headers["location"] == f"{NEWS}?done=publish&mails=0"
    assert len(told(any_shop)) == before + 1
    made = str(told(any_shop, title)[0]["id"])
    eventually(lambda: f'id="{made}"' in Visitor(any_shop).get("/announcements").text, "the announcement on its page")
    assert admin.send(NEWS, action="end", id=made).headers["location"] == f"{NEWS}?done=end"
    again = admin.send(NEWS, action="end", id=made)
    assert (again.status_code, 'role="alert"' in again.text) == (409, True)
    assert admin.send(NEWS, action="withdraw", id=made).status_code == 303
    assert told(any_shop, title)[0]["withdrawn_at"]


def test_an_announcement_that_says_nothing_is_not_published(any_shop: Shop, admin: Colleague) -> None:
    before = len(told(any_shop))
    for wrong in (
        {"title": " "},
        {"title": "x" * 151},
        {"title": "x", "body": "y" * 5001},
        {"title": "x", "starts": "tomorrow"},
        {"title": "x", "ends": "9999-12-31T23:59"},
        {"title": "x", "ends": "2020-01-01T00:00"},
        {"title": "x", "starts": "2030-01-02T00:00", "ends": "2030-01-01T00:00"},
    ):
        sent = admin.send(NEWS, action="publish", **{"kind": "news", "body": "kept", **wrong})
        assert (sent.status_code, 'role="alert"' in sent.text) == (422, True), wrong
    assert len(told(any_shop)) == before


def test_announcements_of_others_are_as_if_they_were_not_there(
    any_shop: Shop, admin: Colleague, stranger: Colleague
) -> None:
    admin.send(NEWS, action="publish", title="Ours alone", kind="news", mail="yes")
    made = str(told(any_shop, "Ours alone")[0]["id"])
    assert "Ours alone" not in stranger.get(NEWS).text
    refused = stranger.send(NEWS, action="withdraw", id=made)
    assert (refused.status_code, "reseller-kit" in refused.text) == (404, False)
    helper = colleague(any_shop, role="support")
    assert "Ours alone" in helper.get(NEWS).text
    assert helper.send(NEWS, "/console", action="withdraw", id=made).status_code == 403
    assert told(any_shop, "Ours alone")[0]["withdrawn_at"] is None


def test_vouchers_are_made_once_redeemed_exported_and_revoked(shop: Shop) -> None:
    admin = colleague(shop, role="finance")
    ready = re.search(r'name="ready" value="(vbt_\w+)"', admin.get(VOUCHERS).text)
    assert ready is not None
    form = {"amount": "2.50", "count": "3", "ready": ready[1], "expires": "2035-01-31", "models": "gpt-*"}
    made = admin.send(VOUCHERS, **form)
    found = CODES.search(made.text)
    assert found is not None, made.text
    codes = found[1].split()
    assert len(set(codes)) == 3
    again = admin.send(VOUCHERS, **form)
    assert (again.status_code, codes[0] in again.text) == (422, False)
    page = f"{VOUCHERS}/batch?name={ready[1]}"
    assert not any(code in admin.get(path).text for code in codes for path in (page, VOUCHERS))
    buyer = Visitor(shop)
    buyer.join("voucher.of.console@solaria.example")
    assert buyer.send("/account/billing", voucher=codes[0]).status_code == 303
    rows = admin.get(f"{VOUCHERS}/batch.csv?name={ready[1]}").text.splitlines()
    assert len(rows) == 4
    assert sum("voucher.of.console@solaria.example" in row for row in rows) == 1
    one = re.search(r'name="voucher" value="(vch_\w+)"', admin.get(page).text)
    assert one is not None
    sent = admin.send(f"{VOUCHERS}/batch", page, batch=ready[1], voucher=one[1], action="revoke")
    assert sent.headers["location"] == f"{page}&done=revoke"
    assert admin.send(f"{VOUCHERS}/batch", page, batch=ready[1], action="revoke_all").status_code == 303
    states = shop.ask("voucher", "list", "--tenant", "solaria", "--batch", ready[1])["vouchers"]
    assert sorted(state["status"] for state in states) == ["revoked", "revoked", "used"]


def test_vouchers_on_impossible_terms_are_not_made(any_shop: Shop, admin: Colleague) -> None:
    before = any_shop.ask("voucher", "list", "--tenant", "solaria")["vouchers"]
    for wrong in (
        {"amount": "0"},
        {"amount": "1e3"},
        {"count": "0"},
        {"count": "1001"},
        {"count": "²"},
        {"max_redemptions": "1000001"},
        {"valid_days": "-1"},
        {"expires": "2020-01-01"},
        {"expires": "31.1.2030"},
        {"models": "{{7*7}} ü"},
        {"batch": "x" * 81},
    ):
        sent = admin.send(VOUCHERS, **{"amount": "1.00", "count": "1", **wrong})
        assert (sent.status_code, 'role="alert"' in sent.text) == (422, True), wrong
    assert any_shop.ask("voucher", "list", "--tenant", "solaria")["vouchers"] == before


def test_vouchers_of_others_are_as_if_they_were_not_there(
    any_shop: Shop, admin: Colleague, stranger: Colleague
) -> None:
    name = "fair/<b>{{7*7}} ü"
    made = admin.send(VOUCHERS, amount="1.00", count="1", batch=name)
    assert "fair/&lt;b&gt;{{7*7}} ü" in made.text
    assert admin.http.get(f"{VOUCHERS}/batch", params={"name": name}).status_code == 200
    voucher = any_shop.ask("voucher", "list", "--tenant", "solaria", "--batch", name)["vouchers"][0]["id"]
    answers = [
        stranger.http.get(f"{VOUCHERS}/batch", params={"name": name}),
        stranger.http.get(f"{VOUCHERS}/batch.csv", params={"name": name}),
        stranger.send(f"{VOUCHERS}/batch", VOUCHERS, batch=name, action="revoke_all"),
    ]
    assert [(answer.status_code, "reseller-kit" in answer.text) for answer in answers] == [(404, False)] * 3
    stranger.send(VOUCHERS, amount="1.00", count="1", batch="ours")
    stranger.send(f"{VOUCHERS}/batch", VOUCHERS, batch="ours", voucher=voucher, action="revoke")
    finance = colleague(any_shop, role="finance")
    assert finance.get(VOUCHERS).status_code == 200
    assert colleague(any_shop, role="support").get(VOUCHERS).status_code == 403
    assert any_shop.ask("voucher", "list", "--tenant", "solaria", "--batch", name)["vouchers"][0]["status"] == "active"
