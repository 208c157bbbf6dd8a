"""A crawl of one storefront, logged out and in: nothing that it serves or sends names anybody but its own brand.

Looked at are whatever links lead to, refusals and faults, mails, exports and the API's answers.
"""

from __future__ import annotations

import email
import io
import json
import re
from collections.abc import Iterator
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pypdf import PdfReader

from reseller_kit.theming.console import NAVIGATION
from tests.support.accounts import Visitor, newest_mail
from tests.support.broken import without_table
from tests.support.dns_double import dns_double
from tests.support.leaks import WILD, Shown, addresses, assert_literal, assert_no_trace, links_of, traces
from tests.support.members import colleague
from tests.support.product import LITERALS, TEMPLATE, Shop, eventually, open_shop

KIM = "kim@lunaris.example"
MOST = 600
"""Addresses of one crawl: filters of lists lead to ever more of them."""
LAST_OF_LUNARIS = 'aliases = { "lunaris-pro" = "gpt-5" }\n'
PACKAGE = """\
  [[tenants.packages]]
  id = "crescent"
  kind = "package"
  title = "Crescent <i data-wild-title>{{7*7}}</i>"
  price = "10.00"
  credits = "12.00"
"""
OWN_HOST = re.compile(r"(www|api)\.lunaris\.localhost:[0-9]+|[a-z]+\.lunar\.example")
"""Further hosts that the tests give to the storefront."""
OF_CONSOLES = frozenset({"wholesale", "stalls.localhost"})
"""What a reseller reads of its own: what it pays, and where its domains have to point."""
OF_TEAM = frozenset({"wholesale", "zephyrline", "desk.localhost"})
"""What a reseller's team reads in its mails: who the platform is."""
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
SECRET = re.compile(r"data-secret>([^<]+)<")
LEAVING = frozenset({"/account/usage/live", "/account/security/export"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of its own: the crawl breaks it for a moment, to see what a fault looks like."""
    folder = tmp_path_factory.mktemp("crawled-shop")
    template = folder / "shop.toml"
    # The template's own placeholders begin with a dollar sign.
    name = json.dumps(WILD, ensure_ascii=False).replace("$", "$$")
    text = TEMPLATE.read_text().replace('name = "Lunaris"', f"name = {name}")
    template.write_text(text.replace(LAST_OF_LUNARIS, LAST_OF_LUNARIS + PACKAGE))
    with (
        dns_double() as dns,
        open_shop(folder, None, template=template, environment={"RESELLER_KIT_DNS_SERVERS": dns.setting}) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def stranger(shop: Shop) -> str:
    """The other storefront's life: a customer with a key, a call, a case and an announcement; the address."""
    jane = Visitor(shop)
    jane.join("jane@solaria.example")
    shop.grant("solaria", "jane@solaria.example", "5.00")
    jane.send("/account/keys", name="sunbeam key")
    assert jane.send("/contact", subject="Sunbeam", body="Solaria's own").status_code == 200
    shop.ask("announcement", "publish", "--tenant", "solaria", "--title", "Solaria rises", "--body", "Sunlit", "--mail")
    return "jane@solaria.example"


@pytest.fixture(scope="module")
def kim(shop: Shop, stranger: str) -> tuple[Visitor, str]:
    """A customer of the storefront with one of everything, and the key."""
    visitor = Visitor(shop, "lunaris")
    visitor.join(KIM)
    shop.grant("lunaris", KIM, "5.00")
    made = SECRET.search(visitor.send("/account/keys", name="laptop").text)
    assert made is not None
    reported = call(visitor, made[1], "Hi").headers["x-request-id"]
    for text in ("[[status=400]]", "[[status=500]]"):
        call(visitor, made[1], text)
    shop.revive()
    report_and_clear(shop, reported)
    visitor.send("/contact", subject="A question", body="Does it work?")
    visitor.send("/reset", email=KIM)
    Visitor(shop, "lunaris", **{"user-agent": "Another browser"}).log_in(KIM)
    shop.ask("announcement", "publish", "--tenant", "lunaris", "--title", "A new moon", "--body", "**Dark**", "--mail")
    eventually(lambda: "A new moon" in visitor.get("/faq").text, "the announcement")
    return visitor, made[1]


def report(shop: Shop, request_id: str, reference: str) -> str:
    """A report of abuse about a call; its id."""
    about = ("--request", request_id, "--upstream", "mainspring", "--reference", reference, "--reason", "Phishing.")
    made: str = eventually(lambda: shop.try_("abuse", "report", *about)[1].get("id"), "the call's record")
    return made


def report_and_clear(shop: Shop, request_id: str) -> None:
    """A report of abuse that restricted the customer for a while."""
    made = report(shop, request_id, "T-1")
    shop.ask("abuse", "restrict", made, "--reason", "A report says so.")
    shop.ask("abuse", "close", made, "--words", "It was a mistake.")


def call(visitor: Visitor, key: str, text: str, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
    body = {"model": "gpt-5-mini", "max_tokens": 20, "messages": [{"role": "user", "content": text}], **more}
    return visitor.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})


def crawl(visitor: Visitor, *starts: str, below: str = "/") -> dict[str, httpx.Response]:
    """Every answer that links lead to from these paths, as far as they lie below one; an address elsewhere fails."""
    own = {f"{host}:{visitor.shop.server.port}" for host in (LITERALS["lunaris"], "lunaris.localhost")}
    seen: dict[str, httpx.Response] = {}
    waiting = list(starts)
    while waiting and len(seen) < MOST:
        path = waiting.pop(0)
        if path in seen or urlsplit(path).path in LEAVING:
            continue
        seen[path] = visitor.get(path)
        for link in (*links_of(seen[path]), *filter(None, [seen[path].headers.get("location")])):
            parts = urlsplit(link)
            if parts.scheme in {"mailto", "data"}:
                continue
            assert parts.netloc in {"", *own} or OWN_HOST.fullmatch(parts.netloc), (path, link)
            here = urlsplit(path).path
            address = parts.path or here
            if not address.startswith((below, "/theme/")):
                continue
            waiting.append(f"{address}?{parts.query}" if parts.query else address)
    return seen


def test_nothing_that_links_lead_to_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    paths: set[str] = set()
    for visitor, starts in (
        (Visitor(shop, "lunaris"), ("/", "/robots.txt")),
        (kim[0], ("/", "/account", "/account/restriction")),
    ):
        found = crawl(visitor, *starts)
        paths = {urlsplit(path).path for path in found}
        assert {"/pricing", "/models", "/docs", "/faq", "/status", "/legal/terms", "/contact"} <= paths
        assert any(path.endswith(".css") for path in paths)
        assert any(path.endswith(".js") for path in paths)
        for path, answer in found.items():
            assert answer.status_code in {200, 303}, (path, answer.status_code)
            assert_no_trace(path, answer, stranger)
            assert_literal(path, answer)
    assert {
        "/account/billing",
        "/account/keys",
        "/account/usage",
        "/account/playground",
        "/account/security",
        "/account/support",
    } <= paths
    assert any(re.fullmatch(r"/account/usage/req_[0-9A-Z]{26}", path) for path in paths)
    assert any(re.fullmatch(r"/account/support/case_[0-9A-Z]{26}", path) for path in paths)


def test_no_refusal_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    for visitor in (Visitor(shop, "lunaris"), kim[0]):
        pages = [path for path in crawl(visitor, "/", "/account") if "?" not in path and "/theme/" not in path]
        for path in pages:
            for answer in (
                visitor.get(path.rstrip("/") + "/nothing"),
                visitor.http.delete(path),
                visitor.http.post(path, data={"csrf": "0" * 64}),
                visitor.http.post(path, data={}, headers={"origin": "http://evil.example"}),
                visitor.http.post(path, content=b"\0", headers={"content-type": "text/plain"}),
            ):
                where = f"{answer.request.method} {path}"
                assert answer.status_code in {303, 400, 403, 404, 405, 422}, (where, answer.status_code)
                assert_no_trace(where, answer, stranger)
                assert_literal(where, answer)


def test_no_fault_names_another(shop: Shop, kim: tuple[Visitor, str]) -> None:
    with without_table(shop, "support_case"), without_table(shop, "api_key"):
        for path in ("/account/support", "/account/keys"):
            page = kim[0].get(path)
            assert page.status_code == 500, path
            assert page.headers["x-request-id"] in page.text
            assert "Lunaris" in page.text
            assert_no_trace(path, page, "sqlite", "support_case", "api_key", "operationalerror", ".py")
    assert kim[0].get("/account/keys").status_code == 200


def sender_of(raw: bytes) -> str:
    """The sender's name as RFC 2047 has it read: the library's own reader puts spaces between encoded words."""
    phrase = str(email.message_from_bytes(raw, policy=policy.compat32)["from"]).rpartition("<")[0]
    return str(make_header(decode_header(phrase.strip())))


def letters(shop: Shop) -> dict[bytes, EmailMessage]:
    """Every mail that the shop sent, by what was written."""
    folder = Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]) / "mail"
    return {
        raw: email.message_from_bytes(raw, policy=policy.default) for raw in map(Path.read_bytes, folder.glob("*.eml"))
    }


def test_no_mail_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    eventually(lambda: newest_mail(shop, KIM, "A new moon"), "the announcement by mail")
    eventually(lambda: newest_mail(shop, KIM, "password"), "the mail with a link for a new password")
    eventually(lambda: newest_mail(shop, KIM, "log-in"), "the mail of a log-in")
    ours = {raw: letter for raw, letter in letters(shop).items() if letter["to"] == KIM}
    assert len({letter["subject"] for letter in ours.values()}) >= 4
    own = {f"{LITERALS['lunaris']}:{shop.server.port}", f"lunaris.localhost:{shop.server.port}"}
    for raw, letter in ours.items():
        parts = [str(part.get_content()) for part in letter.walk() if part.get_content_maintype() == "text"]
        assert len(parts) == 2, "text and HTML"
        whole = "\n".join([*(f"{name}: {value}" for name, value in letter.items()), *parts])
        assert traces(whole, stranger) == [], letter["subject"]
        assert {urlsplit(found).netloc for found in addresses(whole)} <= own, letter["subject"]
        assert sender_of(raw) == WILD
        assert WILD in letter["subject"] or "moon" in letter["subject"], letter["subject"]
        assert WILD in parts[0]
        assert WILD in Shown(parts[1]).text
        assert not Shown(parts[1]).wild


def test_no_mail_to_the_team_names_another(shop: Shop, stranger: str) -> None:
    """Its team hears from the platform, of its own storefront alone, and of nothing that only the operator can do."""
    owner, finance = colleague(shop, "lunaris", "owner"), colleague(shop, "lunaris", "finance")
    buyer = Visitor(shop, "lunaris")
    buyer.join("lee@lunaris.example")
    buyer.send("/contact", subject="Another question", body="Does it still work?")
    shown = buyer.get(buyer.send("/account/billing", package="crescent").headers["location"]).text
    fields = dict(HIDDEN.findall(shown[shown.index('action="/account/billing/buy"') :]))
    assert buyer.http.post("/account/billing/buy", data={**fields, "accept": "yes"}).status_code == 303
    assert finance.send("/console/wholesale", action="topup", amount="25.00", request_key="crawl").status_code == 303
    for order in shop.ask("wholesale", "topups", "--tenant", "lunaris")["topups"]:
        shop.ask("order", "approve", order["id"])
    Visitor(shop, "lunaris").send("/console/reset", email=owner.address)
    shop.grant("lunaris", "lee@lunaris.example", "5.00")
    key = SECRET.search(buyer.send("/account/keys", name="desk").text)
    assert key is not None
    report(shop, call(buyer, key[1], "Hi").headers["x-request-id"], "T-2")
    team = {owner.address, finance.address}
    awaited = {"invitation", "order", "arrived", "password", "question", "abuse"}

    def told() -> dict[bytes, EmailMessage] | None:
        found = {raw: letter for raw, letter in letters(shop).items() if letter["to"] in team}
        subjects = " ".join(letter["subject"] for letter in found.values())
        return found if all(word in subjects for word in awaited) else None

    hosts = ("127.0.0.3", "lunaris.localhost", "desk.localhost")
    own = {f"{host}:{shop.server.port}" for host in hosts}
    for raw, letter in eventually(told, f"mails of {awaited}").items():
        parts = [str(part.get_content()) for part in letter.walk() if part.get_content_maintype() == "text"]
        whole = "\n".join([*(f"{name}: {value}" for name, value in letter.items()), *parts])
        assert set(traces(whole, stranger)) <= OF_TEAM, letter["subject"]
        assert {urlsplit(found).netloc for found in addresses(whole)} <= own, letter["subject"]
        assert sender_of(raw) in {WILD, "Zephyrline Wholesale"}
        assert not Shown(parts[1]).wild


def test_no_page_of_the_console_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    owner = colleague(shop, "lunaris", "owner")
    assert owner.send("/console/domains", host="chat.lunar.example").status_code == 303
    assert owner.send("/console/webhooks", url="https://crm.lunar.example/hook", every="yes").status_code == 200
    seen = crawl(owner, "/console", below="/console")
    paths = {urlsplit(path).path for path in seen}
    assert any(path.startswith("/console/webhooks/whe_") for path in paths)
    assert {item.path for item in NAVIGATION} | {"/console/domains/chat.lunar.example"} <= paths
    pages = [path for path in seen if "?" not in path and "/theme/" not in path]
    refusals = [
        answer
        for path in pages
        for answer in (owner.get(f"{path}/nothing/here"), owner.http.delete(path), owner.http.post(path, data={}))
    ]
    shown = [*seen.values(), *refusals, Visitor(shop, "lunaris").get("/console"), owner.get("/console/login?next=//x")]
    for answer in shown:
        where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
        assert answer.status_code in {200, 303, 400, 401, 403, 404, 405, 422}, where
        assert_no_trace(where, answer, stranger, besides=OF_CONSOLES)
        assert_literal(where, answer) if answer.status_code != 303 else None


def test_no_receipt_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    visitor = kim[0]
    chosen = visitor.get(visitor.send("/account/billing", package="crescent").headers["location"])
    fields = dict(HIDDEN.findall(chosen.text[chosen.text.index('action="/account/billing/buy"') :]))
    order = visitor.http.post("/account/billing/buy", data={**fields, "accept": "yes"}).headers["location"]
    shop.ask("order", "approve", order.rsplit("/", 1)[1], "--note", "paid")
    eventually(lambda: visitor.get(f"{order}/receipt").status_code == 200, "the receipt")
    page, file = visitor.get(f"{order}/receipt"), visitor.get(f"{order}/receipt.pdf")
    assert_no_trace("the receipt", page, stranger)
    assert_literal("the receipt", page)
    document = PdfReader(io.BytesIO(file.content))
    text = "\n".join(part.extract_text() for part in document.pages)
    facts = [text, str(document.metadata), str(document.xmp_metadata), json.dumps(dict(file.headers))]
    assert traces(" ".join(facts), stranger, "reportlab") == []
    assert "<b data-wild>" in text.replace("\n", " ")
    assert "{{7*7}}" in text


def test_no_redirect_and_no_other_host_names_another(shop: Shop, stranger: str) -> None:
    for host, role in (
        ("www.lunaris.localhost", "alias"),
        ("api.lunaris.localhost", "api"),
        ("far.lunar.example", "alias"),
    ):
        shop.ask("domain", "add", host, "--tenant", "lunaris", "--vouch", "--role", role)
    port = shop.server.port
    own = {f"{LITERALS['lunaris']}:{port}", "far.lunar.example"}
    eventually(lambda: shop.get("/", "far.lunar.example").status_code == 308, "the hosts")
    paths = [
        *("/", "/pricing?lang=en", "/schema", "/openapi.json", "/docs", "/console", "/v1/models", "/v1/nothing"),
        *("/webhooks/paddle", "/webhooks/nothing", "/metrics", "/internal/x", "/theme/nothing.css"),
    ]
    for host in ("www.lunaris.localhost", "api.lunaris.localhost", "far.lunar.example", "lunaris.localhost"):
        for path in paths:
            for answer in (shop.get(path, f"{host}:{port}"), shop.request("POST", path, f"{host}:{port}", b"{}")):
                where = f"{answer.request.method} {host}{path} {answer.status_code}"
                assert answer.status_code < 500, where
                assert_no_trace(where, answer, stranger)
                location = urlsplit(answer.headers.get("location", ""))
                assert location.netloc in {"", *own}, where
    for path in ("/schema", "/openapi.json", "/schema/openapi.json"):
        assert shop.get(path, f"lunaris.localhost:{port}").status_code == 404


def test_no_json_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    visitor, key = kim
    paths = ("/v1/models", "/v1/credits", "/v1/usage", "/v1beta/models", "/v1/models/nothing", "/v1/usage/nothing")
    answers = [visitor.get(path, headers={"authorization": f"Bearer {key}"}) for path in paths]
    answers += [visitor.get(f"/account/usage/export.{kind}") for kind in ("csv", "json")]
    answers += [visitor.get("/v1/models", headers={"authorization": "Bearer sol_wrong"})]
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1beta/models/gpt-5-mini:generateContent"):
        answers += [call(visitor, key, "Hi", path), call(visitor, "sol_wrong", "Hi", path)]
        answers += [call(visitor, key, "Hi", path, model="raw"), call(visitor, key, "[[status=400]]", path)]
    shop.revive()
    assert {200, 400, 401, 404} <= {answer.status_code for answer in answers}
    for answer in answers:
        assert_no_trace(f"{answer.request.method} {answer.request.url}", answer, stranger, "2025-08-07", "fp_")
