"""The audit log as a reseller's team reads it: searched, paged, taken along, and nothing of the operator's in it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest

from tests.support.members import Colleague, colleague
from tests.support.product import Shop

CHANGE = re.compile(r'<li>\s*<div class="trail-head">.*?</li>', re.DOTALL)


@pytest.fixture(scope="module")
def admin(shops: Callable[[str], Shop]) -> Colleague:
    """Somebody who may read it."""
    return colleague(shops("sqlite"))


def test_a_change_is_found_by_each_filter(any_shop: Shop, admin: Colleague) -> None:
    jane = any_shop.customer(credit="7.00")
    reason = "a fine gesture {{7*7}}"
    any_shop.ask("credit", "grant", *jane.owner, "--amount", "1.50", "--reason", reason)
    for query in (
        "text=FINE+gesture",
        "text=fine&action=credit.grant",
        "text=fine&kind=customer&author=operator",
        "text=fine&since=2026-01-01&until=2999-01-01",
    ):
        page = admin.get(f"/console/audit?{query}")
        assert "fine gesture {{7*7}}" in page.text, query
        assert len(CHANGE.findall(page.text)) == 1, query
    for query in ("text=fine&author=member", "text=fine&kind=tenant", "text=fine&until=2001-01-01"):
        assert "Nothing found" in admin.get(f"/console/audit?{query}").text, query
    assert "Write days like" in admin.get("/console/audit?since=tomorrow").text
    mine = admin.get(f"/console/audit?member={admin.address.upper()}").text
    assert "Member accept" in mine
    assert reason not in mine
    for odd in ("before=0", "kind=%00", "before=999999999999999999999", "before=x", "action=%FF", "text=%F0%9F%98%80"):
        assert admin.get(f"/console/audit?{odd}").status_code == 200, odd


def test_exports_hold_what_the_page_shows(any_shop: Shop, admin: Colleague) -> None:
    jane = any_shop.customer(credit=None)
    any_shop.ask("credit", "grant", *jane.owner, "--amount", "1.50", "--reason", "=HYPERLINK(1)")
    answer = admin.get("/console/audit/export.csv?text=hyperlink")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["after"] for row in rows if row["field"] == "reason"] == ["'=HYPERLINK(1)"]
    assert {row["who"] for row in rows} == {""}
    (event,) = admin.get("/console/audit/export.json?text=hyperlink").json()["events"]
    assert (event["action"], event["author"], event["ref"]) == ("credit.grant", "operator", jane.id)
    everything = admin.get("/console/audit/export.json").json()["events"]
    assert len(everything) > 2
    assert [event["id"] for event in everything] == sorted((event["id"] for event in everything), reverse=True)


def test_nothing_of_the_operator_or_of_another_brand_is_read(any_shop: Shop, admin: Colleague) -> None:
    any_shop.customer("lunaris")
    any_shop.ask("tenant", "suspend", "turning", "--reason", "elsewhere")
    any_shop.ask("tenant", "resume", "turning")
    texts = [
        admin.get(path).text for path in ("/console/audit", "/console/audit/export.csv", "/console/audit/export.json")
    ]
    for text in texts:
        for secret in (
            "lunaris",
            "Lunaris",
            "turning",
            "mainspring",
            "sparewheel",
            "Zephyrline",
            "cli:",
            "wholesale.markup",
        ):
            assert secret not in text, secret


def test_pages_follow_each_other(any_shop: Shop) -> None:
    admin = colleague(any_shop, "lunaris")
    customer = any_shop.customer("lunaris", credit=None)
    for _ in range(26):
        any_shop.ask("customer", "suspend", *customer.owner)
        any_shop.ask("customer", "resume", *customer.owner)
    seen: list[str] = []
    url = "/console/audit?kind=customer"
    while url:
        page = admin.get(url).text
        seen += CHANGE.findall(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        url = older[1].replace("&amp;", "&") if older else ""
    everything = admin.get("/console/audit/export.json?kind=customer").json()["events"]
    assert len(seen) == len(everything) > 50
