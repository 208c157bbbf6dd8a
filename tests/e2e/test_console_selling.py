"""The console's pages of prices, packages and insights on a real server: what a team sees, sends and gets."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from reseller_kit.core.money import parse_amount
from tests.support.accounts import Visitor
from tests.support.members import Colleague, colleague
from tests.support.product import Shop, eventually, open_shop

PRICING = "/console/pricing"
PACKAGES = "/console/packages"
INSIGHTS = "/console/insights"
COSTS = ("1.333333", "0.133333", "10.77", ">$0.25<", '"0.25"', "$0.025<")
"""What the operator pays for models, as a page or an export would write it."""
STRANGERS = (
    "zephyrline",
    "desk.localhost",
    "reseller_kit",
    "reseller-kit",
    "mainspring",
    "sparewheel",
    "rawfeed",
    "vendor/",
    "lunaris",
)
HIDDEN = re.compile(r'<input type="hidden" name="mark" value="([^"]+)">')
AREA = re.compile(r'<textarea id="(\w+)"[^>]*>(.*?)</textarea>', re.DOTALL)
INPUT = re.compile(r'<input id="([^"]+)" name="[^"]+"(?: type="text")? value="([^"]*)"')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("selling")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(shop: Shop) -> Colleague:
    return colleague(shop, "solaria", "admin")


@pytest.fixture(scope="module")
def finn(shop: Shop) -> Colleague:
    return colleague(shop, "solaria", "finance")


def editor(member: Colleague, **changed: str) -> dict[str, str]:
    """The editor's fields as they are shown, with some of them changed."""
    page = member.get(PRICING).text
    shown = {name: unescape(value) for name, value in INPUT.findall(page)}
    areas = {
        name: unescape(text).strip()
        for name, text in re.findall(r'<textarea id="(\w+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    }
    mark = HIDDEN.search(page)
    assert mark is not None
    names = {name: value for name, value in shown.items() if name not in {"q", "since", "until"}}
    return {**names, **areas, "mark": mark[1], **changed}


def post(member: Colleague, path: str, **fields: str) -> httpx.Response:
    return member.send(path, **fields)


def alert(page: httpx.Response) -> str:
    found = re.search(r'<div class="form-problems" role="alert".*?</div>', page.text, re.DOTALL)
    return "" if found is None else unescape(re.sub(r"<[^>]+>", " ", found[0]))


def codes_on_offer(member: Colleague) -> list[str]:
    offered = member.get(PACKAGES).text.partition("As customers see them")[0]
    return re.findall(rf'href="{PACKAGES}/edit/([^"]+)">', offered)


def price_now(shop: Shop, model: str, usage_class: str = "input") -> str:
    lines = shop.ask("price", "show", "--tenant", "solaria", "--model", model)["prices"]
    return str(next(line["retail"] for line in lines if line["class"] == usage_class))


def test_a_price_is_previewed_published_charged_and_gone_back_behind(shop: Shop, ada: Colleague) -> None:
    kim = shop.customer("solaria")
    shop.call(kim)
    fields = editor(ada, markup="60%")
    page = post(ada, PRICING, do="preview", **fields)
    assert page.status_code == 200
    assert "What publishing would change" in page.text
    assert 'value="60%"' in page.text
    assert "$0.44" in page.text
    assert price_now(shop, "gpt-5-mini") == "0.385"
    answer = post(ada, PRICING, do="publish", **fields)
    assert answer.headers["location"] == f"{PRICING}?done=published"
    assert price_now(shop, "gpt-5-mini") == "0.44"

    def charged() -> bool:
        answer = shop.call(kim)
        record = shop.record(kim, answer.headers["x-request-id"])
        return parse_amount(record["retail"]) * 11 >= parse_amount(record["wholesale"]) * 17

    eventually(lambda: charged() or None, "a call at the new price")
    history = ada.get(f"{PRICING}/history").text
    assert "Markup: 40% → 60%" in history
    assert ada.address in history
    back = re.search(r'href="(/console/pricing\?restore=\d+)"', history)
    assert back is not None
    restored = ada.get(back[1])
    assert 'name="markup" type="text" value="40%"' in restored.text
    assert "What publishing would change" in restored.text
    mark = HIDDEN.search(restored.text)
    assert mark is not None
    answer = post(ada, PRICING, do="publish", **{**fields, "markup": "40%", "mark": mark[1]})
    assert answer.status_code == 303
    assert price_now(shop, "gpt-5-mini") == "0.385"


def test_rows_move_and_keep_what_was_typed(ada: Colleague) -> None:
    fields = editor(ada, markup="what I typed")
    page = post(ada, PRICING, do="add-rule", **fields)
    fields |= {"rules.1.match": "tiny", "rules.1.input": "9.99", "rules.1.more": "cached_input=1.25"}
    page = post(ada, PRICING, do="up:1", **fields)
    shown = {name: unescape(value) for name, value in INPUT.findall(page.text)}
    assert (shown["rules.0.match"], shown["rules.0.input"], shown["rules.1.match"]) == ("tiny", "9.99", "gpt-5")
    assert shown["rules.0.more"] == "cached_input=1.25"
    assert shown["markup"] == "what I typed"
    page = post(ada, PRICING, do="remove-rule:1", **fields)
    assert 'value="tiny" autocomplete' not in page.text
    page = post(ada, PRICING, do="add-alias", **fields)
    assert 'name="aliases.1.name"' in page.text


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"markup": "-50%"}, "markup", "Retail lies below wholesale"),
        ({"markup": "<b>{x}</b>"}, "markup", "percentage"),
        ({"rules.0.output": "0.01"}, "rules.0.output", "Raise it, or allow prices below wholesale."),
        ({"rules.0.more": "words=1"}, "rules.0.more", "'words=1' is no price"),
        ({"aliases.0.model": "gpt-55"}, "aliases.0.name", "There is no model"),
        ({"notice_days": "9999"}, "notice_days", ""),
        ({"deny": "*"}, "", ""),
    ],
)
def test_what_cannot_be_published_is_said_at_its_field(
    shop: Shop, ada: Colleague, changed: dict[str, str], field: str, says: str
) -> None:
    page = post(ada, PRICING, do="publish", **editor(ada, **changed))
    if field:
        assert page.status_code == 422
        assert says in alert(page)
        assert f'aria-describedby="{field}-problem' in page.text
        assert "<b>{x}" not in page.text
    assert page.status_code < 500
    if page.status_code == 303:
        post(ada, PRICING, do="publish", **editor(ada, deny=""))
    assert price_now(shop, "gpt-5-mini") == "0.385"


def test_two_at_once_do_not_overwrite_each_other(shop: Shop, ada: Colleague) -> None:
    stale = editor(ada, markup="45%")
    assert post(ada, PRICING, do="publish", **editor(ada, markup="41%")).status_code == 303
    page = post(ada, PRICING, do="publish", **stale)
    assert page.status_code == 409
    assert "Somebody else changed the prices" in alert(page)
    assert 'value="45%"' in page.text
    assert post(ada, PRICING, do="publish", **editor(ada, markup="40%")).status_code == 303


def test_models_are_hidden_and_shown_again(shop: Shop, ada: Colleague) -> None:
    assert post(ada, PRICING, do="hide", model="tiny").status_code == 303
    page = ada.get(f"{PRICING}?show=hidden")
    assert ">tiny</code>" in page.text
    eventually(lambda: "tiny" not in shop.get("/pricing.json", "solaria.localhost").text or None, "a hidden model")
    assert post(ada, PRICING, do="show", model="tiny").status_code == 303
    assert post(ada, PRICING, do="show", model="no/such").status_code == 422
    assert post(ada, PRICING, do="nonsense", **editor(ada)).status_code == 200
    assert ada.get(f"{PRICING}?q=%00&from=99999&show=x&restore=12345678").status_code == 404


def test_a_change_is_scheduled_and_cancelled(shop: Shop, ada: Colleague) -> None:
    path = f"{PRICING}/scheduled"
    begins = (dt.datetime.now(dt.UTC) + dt.timedelta(days=20)).strftime("%Y-%m-%dT%H:%M")
    terms = {"begins": begins, "match": "gpt-5-mini", "input": "0.50", "markup": "", "output": "", "more": ""}
    page = post(ada, PRICING, do="publish", **{**editor(ada), "allow": ""})
    assert (page.status_code, "This would withdraw every model." in alert(page)) == (422, True)
    page = post(ada, path, do="preview", **terms)
    assert "What the change makes of today" in page.text
    assert post(ada, path, do="schedule", **terms).headers["location"] == f"{path}?done=scheduled"
    scheduled = shop.ask("price", "schedule", "--tenant", "solaria")["scheduled"][0]
    assert (scheduled["state"], scheduled["set"]) == ("waiting", {"input": "0.50"})
    shown = ada.get(path).text
    assert scheduled["id"] in shown
    assert "Input $0.50" in shown
    assert post(ada, path, do="cancel", id=scheduled["id"]).status_code == 303
    assert post(ada, path, do="cancel", id=scheduled["id"]).status_code == 409
    shop.call(shop.customer())
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    page = post(ada, path, do="schedule", **{**terms, "begins": soon, "input": "9.50"})
    assert (page.status_code, "days ahead. Begin on 2" in page.text, 'value="9.50"' in page.text) == (422, True, True)
    for wrong in (
        {"begins": "2020-01-01T00:00"},
        {"begins": "soon"},
        {"input": "0.01"},
        {"match": "nothing-*"},
        {"match": ""},
    ):
        page = post(ada, path, do="schedule", **{**terms, **wrong})
        assert page.status_code == 422, wrong
        assert alert(page)
        assert "reseller-kit" not in page.text


def test_a_package_is_made_changed_moved_and_withdrawn(shop: Shop, ada: Colleague) -> None:
    new, terms = (
        f"{PACKAGES}/new",
        {"kind": "topup", "title": "Räuber & <i>Söhne</i>", "min": "5", "max": "90", "presets": "10, 20"},
    )
    page = post(ada, new, do="preview", **terms)
    assert "Any amount up to $90.00" in page.text
    mark = HIDDEN.search(page.text)
    assert mark is not None
    assert post(ada, new, do="save", mark=mark[1], **terms).status_code == 303
    code = re.search(rf'href="{PACKAGES}/edit/(r[^"]+)"', ada.get(PACKAGES).text)
    assert code is not None
    shown = eventually(
        lambda: page.text if "Any amount up to" in (page := shop.get("/pricing", "solaria.localhost")).text else None,
        "the package",
    )
    assert "<i>Söhne" not in shown
    edit = f"{PACKAGES}/edit/{code[1]}"
    page = post(ada, edit, do="save", mark="stale.0", **terms)
    assert page.status_code == 409
    mark = HIDDEN.search(ada.get(edit).text)
    assert mark is not None
    page = post(ada, edit, do="save", mark=mark[1], **{**terms, "min": "100"})
    assert page.status_code == 422
    assert "The least amount is larger than the most" in alert(page)
    assert 'value="100"' in page.text
    assert post(ada, edit, do="save", mark=mark[1], **{**terms, "max": "80"}).status_code == 303
    assert "Version 2" in ada.get(edit).text
    before = codes_on_offer(ada)
    for action in ("up", "withdraw"):
        mark = HIDDEN.search(ada.get(PACKAGES).text)
        assert mark is not None
        assert post(ada, PACKAGES, do=action, code=code[1], mark=mark[1]).status_code == 303
        if action == "up":
            assert codes_on_offer(ada).index(code[1]) == before.index(code[1]) - 1
    assert code[1] not in codes_on_offer(ada)
    assert "Offer again" in ada.get(PACKAGES).text
    assert post(ada, PACKAGES, do="withdraw", code="nothing", mark="").status_code == 404
    for wrong in ({"kind": "bogus"}, {"title": ""}, {"max": "much"}, {"presets": "1000"}, {"code": "no spaces"}):
        assert post(ada, new, do="save", mark=mark[1], **{**terms, **wrong}).status_code in {409, 422}, wrong


def test_an_allowance_is_typed_checked_and_shown(shop: Shop, ada: Colleague) -> None:
    new = f"{PACKAGES}/new"
    terms = {"kind": "package", "title": "Steady", "price": "30", "credits": "30", "daily_allowance": "2.50"}
    page = post(ada, new, do="preview", **terms)
    assert "At most $2.50 of it a day (UTC)" in page.text
    mark = HIDDEN.search(page.text)
    assert mark is not None
    for wrong, said in {
        "0": "above 0",
        "-1": "negative",
        "much": "plain decimal amount",
        "30": "all of the credit",
        "1e3": "plain decimal amount",
        "0.0000000001": "decimal",
    }.items():
        page = post(ada, new, do="save", mark=mark[1], **{**terms, "daily_allowance": wrong})
        assert (page.status_code, f'value="{wrong}"' in page.text) == (422, True), wrong
        assert said in alert(page), (wrong, alert(page))
    # A top-up has none: what its form kept of another kind is left out.
    topup = {"kind": "topup", "title": "Any", "min": "5", "max": "50", "daily_allowance": "2.50"}
    assert "a day (UTC)" not in post(ada, new, do="preview", **topup).text
    assert post(ada, new, do="save", mark=mark[1], **terms).status_code == 303
    eventually(lambda: "At most $2.50 of it a day" in shop.get("/pricing", "solaria.localhost").text, "the package")
    code = re.search(rf'href="{PACKAGES}/edit/(steady[^"]*)"', ada.get(PACKAGES).text)
    assert code is not None
    assert re.search(r'name="daily_allowance"[^>]* value="2\.50"', ada.get(f"{PACKAGES}/edit/{code[1]}").text)


def test_insights_say_what_the_commands_say(shop: Shop, ada: Colleague, finn: Colleague) -> None:
    kim = shop.customer("solaria")
    for _ in range(3):
        assert shop.call(kim, model="gpt-5").status_code == 200
    rows = list(csv.DictReader(io.StringIO(finn.get(f"{INSIGHTS}/export.csv").text)))
    found = ada.get(f"{INSIGHTS}/export.json").json()
    assert found["days"] == [{**row, **{name: int(row[name]) for name in row if row[name].isdigit()}} for row in rows]
    records = shop.ask("usage", "list", "--tenant", "solaria", "--limit", "1000")["records"]
    for column, level in (("revenue", "retail"), ("wholesale", "wholesale")):
        assert sum(parse_amount(row[column]) for row in rows) == sum(parse_amount(record[level]) for record in records)
    assert {model["model"] for model in found["models"]} >= {"gpt-5"}
    for query in ("range=7d", "range=12m", "since=2026-01-01&until=2026-03-01", "range=x"):
        assert ada.get(f"{INSIGHTS}?{query}").status_code == 200
    for query in ("since=2020-01-01", "since=never", "since=2026-03-01&until=2026-01-01"):
        assert ada.get(f"{INSIGHTS}?{query}").status_code == 422
    assert ada.get(f"{INSIGHTS}/export.json?since=2020-01-01").status_code == 400


def test_roles_hold(shop: Shop, finn: Colleague) -> None:
    sue = colleague(shop, "solaria", "support")
    for path in (PRICING, f"{PRICING}/scheduled", f"{PRICING}/history", PACKAGES, INSIGHTS, f"{INSIGHTS}/export.csv"):
        assert finn.get(path).status_code == 200
        assert sue.get(path).status_code == 403
        assert Visitor(shop, "solaria").get(path).status_code == 303
    assert 'name="markup"' not in finn.get(PRICING).text
    for path in (PRICING, f"{PRICING}/scheduled", PACKAGES, f"{PACKAGES}/new"):
        assert finn.send(path, PRICING, do="publish", markup="1%").status_code == 403


def test_no_page_says_what_the_operator_pays_or_who_is_behind(shop: Shop, ada: Colleague) -> None:
    shop.call(shop.customer("solaria"), model="two-ways")
    pages = [
        *(ada.get(path) for path in (PRICING, f"{PRICING}/scheduled", f"{PRICING}/history", PACKAGES, INSIGHTS)),
        *(ada.get(path) for path in (f"{PACKAGES}/new?kind=subscription", f"{PACKAGES}/edit/sunbeam")),
        *(ada.get(f"{INSIGHTS}/export.{kind}") for kind in ("csv", "json")),
        post(ada, PRICING, do="preview", **editor(ada, markup="99%")),
        post(ada, PRICING, do="publish", **editor(ada, markup="-99%")),
        ada.get(f"{PACKAGES}/edit/unknown"),
    ]
    for page in pages:
        told = unescape(page.text) + str(page.headers)
        assert [cost for cost in COSTS if cost in told] == []
        assert [name for name in STRANGERS if name in told.lower()] == []
