"""A crawl of one storefront, logged out and in: nothing that it serves or sends names anybody but its own brand.

Looked at are whatever links lead to, refusals and faults, mails, exports and the API's answers.
"""

from __future__ import annotations

import email
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.accounts import Visitor, newest_mail
from tests.support.leaks import addresses, assert_no_trace, links_of, traces
from tests.support.product import LITERALS, Shop, eventually, open_shop

KIM = "kim@lunaris.example"
MOST = 600
"""Addresses of one crawl: filters of lists lead to ever more of them."""
SECRET = re.compile(r"data-secret>([^<]+)<")
LEAVING = frozenset({"/account/usage/live", "/account/security/export"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of its own: the crawl breaks it for a moment, to see what a fault looks like."""
    with open_shop(tmp_path_factory.mktemp("crawled-shop"), None) as opened:
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
    for text in ("Hi", "[[status=400]]", "[[status=500]]"):
        call(visitor, made[1], text)
    shop.revive()
    visitor.send("/contact", subject="A question", body="Does it work?")
    visitor.send("/reset", email=KIM)
    Visitor(shop, "lunaris", **{"user-agent": "Another browser"}).log_in(KIM)
    shop.ask("announcement", "publish", "--tenant", "lunaris", "--title", "A new moon", "--body", "**Dark**", "--mail")
    eventually(lambda: "A new moon" in visitor.get("/faq").text, "the announcement")
    return visitor, made[1]


def call(visitor: Visitor, key: str, text: str, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
    body = {"model": "gpt-5-mini", "max_tokens": 20, "messages": [{"role": "user", "content": text}], **more}
    return visitor.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})


def crawl(visitor: Visitor, *starts: str) -> dict[str, httpx.Response]:
    """Every answer that links lead to from these paths; an address elsewhere fails."""
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
            assert parts.netloc in {"", *own}, (path, link)
            here = urlsplit(path).path
            address = parts.path or here
            waiting.append(f"{address}?{parts.query}" if parts.query else address)
    return seen


def test_nothing_that_links_lead_to_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    paths: set[str] = set()
    for visitor, starts in ((Visitor(shop, "lunaris"), ("/", "/robots.txt")), (kim[0], ("/", "/account"))):
        found = crawl(visitor, *starts)
        paths = {urlsplit(path).path for path in found}
        assert {"/pricing", "/models", "/docs", "/faq", "/status", "/legal/terms", "/contact"} <= paths
        assert any(path.endswith(".css") for path in paths)
        assert any(path.endswith(".js") for path in paths)
        for path, answer in found.items():
            assert answer.status_code in {200, 303}, (path, answer.status_code)
            assert_no_trace(path, answer, stranger)
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


def test_no_fault_names_another(shop: Shop, kim: tuple[Visitor, str]) -> None:
    with without_table(shop, "support_case"), without_table(shop, "api_key"):
        for path in ("/account/support", "/account/keys"):
            page = kim[0].get(path)
            assert page.status_code == 500, path
            assert page.headers["x-request-id"] in page.text
            assert "Lunaris" in page.text
            assert_no_trace(path, page, "sqlite", "support_case", "api_key", "operationalerror", ".py")
    assert kim[0].get("/account/keys").status_code == 200


@contextmanager
def without_table(shop: Shop, name: str) -> Iterator[None]:
    """A database in which a table is not to be found."""
    (file,) = Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]).glob("*.db")

    def rename(before: str, after: str) -> None:
        connection = sqlite3.connect(file, timeout=20, isolation_level=None)
        connection.execute("PRAGMA legacy_alter_table=ON")
        connection.execute(f"ALTER TABLE {before} RENAME TO {after}")
        connection.close()

    rename(name, f"{name}_away")
    try:
        yield
    finally:
        rename(f"{name}_away", name)


def test_no_mail_names_another(shop: Shop, kim: tuple[Visitor, str], stranger: str) -> None:
    eventually(lambda: newest_mail(shop, KIM, "A new moon"), "the announcement by mail")
    eventually(lambda: newest_mail(shop, KIM, "password"), "the mail with a link for a new password")
    eventually(lambda: newest_mail(shop, KIM, "log-in"), "the mail of a log-in")
    folder = Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]) / "mail"
    letters = [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in folder.glob("*.eml")]
    ours = [letter for letter in letters if letter["to"].endswith("@lunaris.example")]
    assert len({letter["subject"] for letter in ours}) >= 4
    own = {f"{LITERALS['lunaris']}:{shop.server.port}", f"lunaris.localhost:{shop.server.port}"}
    for letter in ours:
        parts = [str(part.get_content()) for part in letter.walk() if part.get_content_maintype() == "text"]
        assert len(parts) == 2, "text and HTML"
        whole = "\n".join([*(f"{name}: {value}" for name, value in letter.items()), *parts])
        assert traces(whole, stranger) == [], letter["subject"]
        assert {urlsplit(found).netloc for found in addresses(whole)} <= own, letter["subject"]
        assert "Lunaris" in letter["from"]


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
