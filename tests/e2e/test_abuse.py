"""Abuse from the operator's report to the end: restricted within a second, appealed, answered; nobody else touched."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.test_form_fuzz import ODD
from tests.support.accounts import Visitor, newest_mail, problems
from tests.support.members import Colleague, colleague
from tests.support.product import Customer, Shop, eventually

NUMBERS = itertools.count(1)
REASON = "Calls that ask for phishing pages & <b>more</b> {{7*7}}"


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    return any_shop


@pytest.fixture(scope="module")
def support(shops: Callable[[str], Shop]) -> Colleague:
    return colleague(shops("sqlite"), role="support")


def called(shop: Shop, customer: Customer, status: int = 200) -> httpx.Response:
    """A call that ends so, once every process knows of what was changed."""
    return eventually(
        lambda: answer if (answer := shop.call(customer)).status_code == status else None, f"an answer {status}"
    )


def report(shop: Shop, customer: Customer, **options: str) -> Any:
    """File a report about the customer's latest call."""
    request_id = called(shop, customer).headers["x-request-id"]
    given = {"request": request_id, "upstream": "mainspring", "reason": REASON, "category": "fraud", **options}
    return shop.ask("abuse", "report", *(part for name, value in given.items() for part in (f"--{name}", value)))


def console(made: Any) -> str:
    return f"/console/abuse/{made['id']}"


def member_customer(shop: Shop) -> tuple[Customer, Visitor]:
    """A customer with a key and credit, and its browser."""
    address = f"abused{next(NUMBERS)}@x.example"
    visitor = Visitor(shop)
    visitor.join(address)
    made = shop.ask("customer", "show", "--tenant", "solaria", "--customer", address)
    shop.grant("solaria", address, "5.00")
    return shop.with_key("solaria", address, made["id"]), visitor


def test_a_report_by_either_name_reaches_the_team_without_the_upstream(shop: Shop, support: Colleague) -> None:
    customer = shop.customer()
    made = report(shop, customer, reference=f"T-{customer.id}")
    assert (made["customer_id"], made["status"], made["upstream"]) == (customer.id, "open", "mainspring")
    known_as = f"{made['end_user']}-0123456789abcdef"
    again = shop.ask("abuse", "report", "--end-user", known_as, "--upstream", "sparewheel", "--reason", "x")
    assert again["customer_id"] == customer.id
    code, refused = shop.try_(
        "abuse", "report", "--end-user", made["end_user"], "--upstream", "mainspring", "--reason", "x",
        "--reference", f"T-{customer.id}",
    )  # fmt: skip
    assert (code, refused["error"]["code"]) == (5, "conflict")
    listed, page = support.get("/console/abuse?state=open").text, support.get(console(made)).text
    assert console(made) in listed
    assert "Calls that ask for phishing pages &amp; &lt;b&gt;more&lt;/b&gt; {{7*7}}" in page
    assert "an upstream provider" in page
    for text in (listed, page):
        assert customer.email in text
        assert "mainspring" not in text
        assert made["end_user"] not in text
        assert f"T-{customer.id}" not in text
    told = eventually(lambda: newest_mail(shop, support.address, f"abuse about {customer.email}"), "a mail to the team")
    assert "mainspring" not in told
    assert f"http://solaria.localhost:{shop.server.port}/console/abuse/rep_" in told
    owner = colleague(shop, role="owner")
    for path in ("/console/audit?kind=abuse", "/console/audit/export.csv?kind=abuse"):
        assert "mainspring" not in owner.get(path).text


def test_one_click_restricts_within_a_second_and_an_appeal_ends_it(shop: Shop, support: Colleague) -> None:
    customer, browser = member_customer(shop)
    neighbour = shop.customer()
    made = report(shop, customer)
    page = support.get(console(made)).text
    proposed = re.search(r'<textarea id="restrict-words"[^>]*>\s*([^<]+)</textarea>', page)
    assert proposed is not None
    sent = support.send(console(made), action="restrict", words=proposed[1], until="")
    assert sent.headers["location"] == f"{console(made)}?done=restrict"
    for path in (f"/console/customers/{customer.id}", f"/console/customers?q={customer.email}"):
        assert "Restricted" in support.get(path).text
    refusal = called(shop, customer, 403)
    error = refusal.json()["error"]
    assert (error["code"], error["type"]) == ("account_restricted", "permission_error")
    assert "/account/restriction" in error["message"]
    assert refusal.headers["x-should-retry"] == "false"
    anthropic = shop.http.post(
        f"{customer.origin}/v1/messages",
        json={"model": "gpt-5-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]},
        headers={"host": customer.host, "x-api-key": customer.key},
    )
    assert (anthropic.status_code, anthropic.json()["error"]["type"]) == (403, "permission_error")
    assert called(shop, neighbour).status_code == 200
    for path in ("/account", "/account/billing", "/account/support", "/account/usage", "/account/keys"):
        answer = browser.get(path)
        assert (answer.status_code, "Your API access is restricted" in answer.text) == (200, True), path
    assert "phishing" not in browser.get("/account").text, "the operator's words are the team's"
    assert browser.send("/contact", subject="Hello", body="Why?").status_code == 200
    guard = re.search(r'data-csrf="([^"]+)"', browser.get("/account/playground").text)
    if guard is not None:
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        tried = browser.http.post("/account/playground/answer", json=body, headers={"x-csrf-token": guard[1]})
        assert (tried.status_code, tried.json()["error"]["code"]) == (403, "account_restricted")
    restricted = eventually(lambda: newest_mail(shop, customer.email, "your API access is restricted"), "a mail")
    assert "/account/restriction" in restricted
    empty = browser.send("/account/restriction", report=made["id"], text=" ")
    assert (empty.status_code, set(problems(empty))) == (422, {"text"})
    appeal = browser.send("/account/restriction", report=made["id"], text="I <i>tested</i> {{7*7}} a filter.")
    assert (appeal.status_code, appeal.headers["location"]) == (303, "/account/restriction?done=yes")
    assert browser.send("/account/restriction", report=made["id"], text="Once more.").status_code == 409
    page = support.get(console(made)).text
    assert "I &lt;i&gt;tested&lt;/i&gt; {{7*7}} a filter." in page
    assert shop.ask("abuse", "show", made["id"])["status"] == "appealed"
    # One answer, whichever button takes it along.
    assert page.count('name="words"') == 1
    assert [found[1] for found in re.finditer(r'<button [^>]*name="action" value="(\w+)"', page)] == ["uphold", "lift"]
    assert support.send(console(made), action="uphold", words=" ").status_code == 422
    long = support.send(console(made), action="lift", words="You are right. " * 200)
    assert (long.status_code, set(problems(long))) == (422, {"lift-words"})
    assert "You are right. You are right." in long.text, "what was typed stays"
    assert support.send(console(made), action="lift", words="You are right.").status_code == 303
    assert called(shop, customer).status_code == 200
    assert "Your API access is restricted" not in browser.get("/account").text
    assert "You are right." in browser.get("/account/restriction").text
    restored = eventually(lambda: newest_mail(shop, customer.email, "your API access works again"), "a mail")
    assert "You are right." in restored
    assert support.send(console(made), action="restrict", words="x").status_code == 422


def test_roles_and_other_brands(shop: Shop, support: Colleague) -> None:
    made = report(shop, shop.customer())
    waiting = re.compile(r'<dt><a href="/console/abuse">Abuse reports</a></dt><dd>\d+</dd>')
    assert waiting.search(support.get("/console").text)
    assert "reports of abuse wait for a decision" in colleague(shop, "platform", "operator").get("/").text
    finance, stranger = colleague(shop, role="finance"), colleague(shop, "lunaris", role="admin")
    assert finance.get(console(made)).status_code == 200
    assert finance.send(console(made), action="dismiss").status_code == 403
    assert 'value="dismiss"' not in finance.get(console(made)).text
    assert [stranger.get(console(made)).status_code, stranger.send(console(made), action="dismiss").status_code] == [
        404,
        404,
    ]
    assert made["id"] not in stranger.get("/console/abuse").text
    assert support.get("/console/abuse/rep_nothing").status_code == 404
    other = Visitor(shop, "lunaris")
    other.join("other.of.abuse@lunaris.example")
    assert other.send("/account/restriction", report=made["id"], text="x").status_code == 404
    assert support.send(console(made), action="dismiss", words="A false alarm.").status_code == 303
    assert support.send(console(made), action="dismiss").status_code == 422


def test_the_operator_files_forces_and_closes_on_its_own_pages(shop: Shop, support: Colleague) -> None:
    root = colleague(shop, "platform", "operator")
    customer = shop.customer()
    request_id = called(shop, customer).headers["x-request-id"]
    given = {"whom": request_id, "upstream": "mainspring", "category": "spam", "reason": "Spam.", "reference": "R 9"}
    wrong = root.send("/abuse", **given | {"whom": "ada"})
    assert (wrong.status_code, set(problems(wrong))) == (422, {"whom"})
    assert 'value="ada"' in wrong.text
    named = root.send("/abuse", **given | {"reason": "mainspring says spam."})
    assert set(problems(named)) == {"reason"}
    filed = root.send("/abuse", **given)
    path = filed.headers["location"].partition("?")[0]
    page = root.get(path).text
    for text in ("mainspring", "R 9", "eu_", customer.email, "solaria"):
        assert text in page
    here = f"/console{path}"
    assert support.send(here, action="dismiss").status_code == 303
    assert root.send(path, action="force", words="It goes on.", until="2020-01-01").status_code == 422
    assert root.send(path, action="force", words="It goes on.").status_code == 303
    called(shop, customer, 403)
    assert "alone lifts it" in support.get(here).text
    assert support.send(here, action="lift").status_code == 422
    closed = shop.ask("abuse", "close", path.rpartition("/")[2], "--words", "It was a mistake.")
    assert (closed["status"], closed["answer"]) == ("lifted", "It was a mistake.")
    called(shop, customer)
    assert support.get("/abuse").status_code == 404


def test_no_odd_text_breaks_a_form(shop: Shop, support: Colleague) -> None:
    customer, browser = member_customer(shop)
    root = colleague(shop, "platform", "operator")
    made = report(shop, customer)
    path = f"/abuse/{made['id']}"
    plain = {"whom": made["end_user"], "upstream": "mainspring", "category": "spam", "reason": " ", "reference": ""}
    for text in ODD:
        for field in plain:
            answer = root.send("/abuse", **plain | {field: text} | ({} if field == "reason" else {"reason": " "}))
            assert answer.status_code in {303, 413, 422}, (field, text[:40])
        for page, sender, action in ((f"/console{path}", support, "restrict"), (path, root, "force")):
            answer = sender.send(page, action=action, words=" ", until=text)
            assert answer.status_code in {413, 422}, text[:40]
            assert sender.send(page, action=text, words=text).status_code in {303, 413}, text[:40]
        for asked in ("/console/abuse", "/abuse"):
            sender = support if asked.startswith("/console") else root
            found = sender.http.get(asked, params={"state": text[:400], "cursor": text[:400]})
            assert found.status_code in {200, 400}, (asked, text[:40])
    assert support.send(f"/console{path}", action="restrict", words=ODD[0], until="").status_code == 303
    for text in ODD:
        answer = browser.send("/account/restriction", report=text, text=" ")
        assert answer.status_code in {404, 413, 422}, text[:40]
    assert browser.send("/account/restriction", report=made["id"], text=ODD[1]).status_code == 303
    for shown in (browser.get("/account"), browser.get("/account/restriction"), support.get(f"/console{path}")):
        assert "<script>alert(1)" not in shown.text
        assert "{{7*7}}" in shown.text
