"""The management API on the real server: who may do what, that nothing happens twice, and what nobody sees."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from jsonschema import Draft202012Validator

from reseller_kit.core.apitoken import SCOPES
from reseller_kit.web.management import BASE, ENDPOINTS, REQUESTS_A_MINUTE
from reseller_kit.web.management.openapi import openapi
from reseller_kit.web.management.table import find
from tests.support.accounts import Visitor
from tests.support.members import Colleague, colleague
from tests.support.product import LITERALS, Customer, Shop, eventually


class Program:
    """A program of a storefront's team, with a token."""

    def __init__(self, shop: Shop, *scopes: str, slug: str = "solaria", token: str = "") -> None:
        self.shop = shop
        self.host = f"{LITERALS[slug]}:{shop.server.port}"
        self.id = ""
        if not token:
            made = shop.ask(
                "token", "create", "--tenant", slug, "--name", "CRM", "--scopes", ",".join(scopes or SCOPES)
            )
            token, self.id = made["token"], made["id"]
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.token}", **headers}
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.shop.request(method, BASE + path, self.host, content, **sent)
        check_as_described(method, path, answer)
        return answer

    def done(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.ask(method, path, body, **headers)
        assert answer.status_code < 300, answer.text
        return answer.json()


@cache
def described() -> dict[str, Any]:
    """The document, in which no answer may hold more than it says."""
    document = openapi("Solaria", BASE)
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


def check_as_described(method: str, path: str, answer: httpx.Response) -> None:
    """Every answer of these tests is of the schema that the document gives to it."""
    found = find(path.partition("?")[0])
    if found is None or method not in found.by_method:
        return
    operation = described()["paths"][found.by_method[method].path][method.lower()]
    said = operation["responses"].get(str(answer.status_code), operation["responses"]["default"])
    schema = {**said["content"]["application/json"]["schema"], "components": described()["components"]}
    Draft202012Validator(schema).validate(answer.json())


def url_of(path: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def test_customers_credit_and_keys(shop: Shop) -> None:
    program = Program(shop)
    made = program.done("POST", "/customers", {"email": "Ann@crm.example", "name": "Ann"})
    assert made["email"] == "ann@crm.example"
    assert urlsplit(made["link"]).port == shop.server.port
    one = f"/customers/{made['id']}"
    granted = program.done("POST", f"{one}/credit/grants", {"amount": "12.50", "reason": "welcome"})
    assert granted["balance"] == "12.50"
    program.done("POST", f"{one}/credit/adjustments", {"amount": "-2.50", "reason": "too much"})
    balance = program.done("GET", f"/customers/{made['email']}/credit")
    assert balance == shop.ask("credit", "balance", "--tenant", "solaria", "--customer", made["id"])
    history = program.done("GET", f"{one}/credit/history?limit=1")
    assert len(history["entries"]) == 1
    assert history["next_cursor"]
    key = program.done("POST", f"{one}/keys", {"name": "CI", "limit": "1.00", "reset": "daily"})
    assert (key["limit"], key["status"]) == ("1.00", "active")
    rotated = program.done("POST", f"/keys/{key['id']}/rotate")
    assert rotated["key"] != key["key"]
    program.done("POST", f"/keys/{rotated['id']}/revoke")
    listed = program.done("GET", f"/keys?customer={made['id']}")["keys"]
    assert {row["status"] for row in listed} == {"revoked"}
    assert "key" not in listed[0]
    program.done("POST", f"{one}/suspend", {"reason": "asked"})
    assert program.done("GET", one)["status"] == "suspended"
    program.done("POST", f"{one}/resume")
    found = program.done("GET", "/customers?q=ann@crm")["customers"]
    assert [(row["id"], row["status"], row["balance"]) for row in found] == [(made["id"], "active", "10.00")]
    trail = shop.ask("audit", "list", "--tenant", "solaria", "--limit", "30")["events"]
    assert {"customer.create", "credit.grant", "key.rotate"} <= {
        row["action"] for row in trail if row["actor"] == f"token:{program.id}"
    }


def test_the_same_request_under_one_key_happens_once(shop: Shop) -> None:
    program = Program(shop)
    buyer = shop.customer(credit=None)
    path = f"/customers/{buyer.id}/credit/grants"
    body = {"amount": "3.00", "reason": "once"}
    first = program.ask("POST", path, body, idempotency_key="grant-1")
    again = program.ask("POST", path, body, idempotency_key="grant-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    other = program.ask("POST", path, {**body, "amount": "4.00"}, idempotency_key="grant-1")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    assert shop.balance(buyer)["balance"] == "3.00"
    keys = [program.done("POST", f"/customers/{buyer.id}/keys", {}, idempotency_key="key-1")["key"] for _ in range(2)]
    assert keys[0] == keys[1]
    refused = [program.ask("POST", path, {**body, "amount": "x"}, idempotency_key="bad") for _ in range(2)]
    assert [one.status_code for one in refused] == [400, 400]


def test_selling(shop: Shop) -> None:
    program = Program(shop)
    terms = {"title": "By API", "kind": "package", "price": "7.00", "credits": "8.00"}
    made = program.done("PUT", "/packages/by-api", terms)
    assert (made["status"], made["terms"]["credits"]) == ("offered", "8.00")
    assert program.done("PUT", "/packages/by-api", {**terms, "credits": "9.00"})["version"] == made["version"] + 1
    buyer = shop.customer(credit=None)
    orders = [
        shop.ask("order", "create", "--tenant", "solaria", "--customer", buyer.email, "--package", "by-api")["id"]
        for _ in range(2)
    ]
    assert program.done("POST", f"/orders/{orders[0]}/approve", {"note": "paid"})["status"] == "activated"
    rejected = program.done("POST", f"/orders/{orders[1]}/reject", {"reason": "unpaid"})
    assert rejected["status"] == "cancelled"
    assert "cli:" not in json.dumps(rejected)
    listed = program.done("GET", f"/orders?customer={buyer.id}")["orders"]
    assert [row["id"] for row in listed] == orders[::-1]
    assert program.done("DELETE", "/packages/by-api")["status"] == "past"
    bad = program.ask("PUT", "/packages/by-api", {**terms, "price": "free"})
    assert bad.status_code == 400
    assert "price" in json.dumps(bad.json()["error"]["details"])
    daily = {**terms, "credits": "9.00"}
    for wrong in ("0", "-1", "much", "9.00", "10.00", "0.0000000001"):
        bad = program.ask("PUT", "/packages/by-api", {**daily, "daily_allowance": wrong})
        assert (bad.status_code, "daily_allowance" in json.dumps(bad.json()["error"])) == (400, True), wrong
    assert program.ask("PUT", "/packages/by-api", {**daily, "daily_allowance": 1.5}).status_code == 400
    assert (
        program.done("PUT", "/packages/by-api", {**daily, "daily_allowance": "0.50"})["terms"]["daily_allowance"]
        == "0.50"
    )
    assert "daily_allowance" not in program.done("PUT", "/packages/by-api", daily)["terms"]
    program.done("DELETE", "/packages/by-api")
    batch = program.done("POST", "/vouchers", {"amount": "1.00", "count": 2})["vouchers"]
    assert len({one["code"] for one in batch}) == 2
    assert program.done("POST", f"/vouchers/{batch[0]['id']}/revoke")["status"] == "revoked"
    assert "code" not in program.done("GET", f"/vouchers?batch={batch[0]['batch']}")["vouchers"][0]


def test_prices_and_usage_show_no_cost(shop: Shop) -> None:
    program = Program(shop, slug="lunaris")
    before = program.done("GET", "/prices")
    stale = program.ask("PUT", "/prices", {"markup": "55%", "mark": "pricing.0"})
    assert stale.status_code == 409
    after = program.done("PUT", "/prices", {"markup": "55%"})
    assert (after["markup"], after["rules"]) == ("55%", before["rules"])
    program.done("PUT", "/prices", {"markup": before["markup"], "mark": after["mark"]})
    past = program.ask("POST", "/prices/changes", {"effective_from": "2020-01-01", "markup": "60%"})
    assert past.status_code == 400
    soon = program.done("POST", "/prices/changes", {"effective_from": "2030-01-01", "markup": "60%"})
    assert program.done("GET", "/prices/changes")["changes"][0]["id"] == soon["id"]
    assert program.done("DELETE", f"/prices/changes/{soon['id']}")["state"] == "cancelled"
    buyer = shop.customer("lunaris")
    assert shop.call(buyer).status_code == 200
    records = program.done("GET", f"/usage?customer={buyer.id}")["records"]
    assert [row["model"] for row in records] == ["gpt-5-mini"]
    assert records[0]["wholesale"] == shop.records(buyer)[0]["wholesale"]
    summary = program.done("GET", "/usage/summary?by=model")
    dearer = {"effective_from": f"{dt.datetime.now(dt.UTC) + dt.timedelta(days=2):%Y-%m-%d}", "markup": "900%"}
    error = program.ask("POST", "/prices/changes", dearer).json()["error"]
    assert (error["details"][0]["field"], "or later" in error["fix"]) == ("effective_from", True)
    for document in (before, records, summary):
        text = json.dumps(document)
        assert '"cost"' not in text
        assert "mainspring" not in text


def test_groups_have_prices_and_customers(any_shop: Shop) -> None:
    program, buyer = Program(any_shop), any_shop.customer()
    terms = {"title": "Partners", "markup": "20%", "limits": {"requests_per_minute": 90}}
    made = program.done("PUT", "/groups/partners", terms)
    assert (made["markup"], made["limits"]["requests_per_minute"], made["customers"]) == ("20%", 90, 0)
    price = next(one for one in made["prices"] if (one["model"], one["class"]) == ("gpt-5-mini", "output"))
    assert (price["paid"], price["usual"], price["retail"], price["margin"]) == ("2.20", "3.08", "2.64", "0.44")
    assert '"cost"' not in json.dumps(made)
    assert program.done("PUT", f"/customers/{buyer.email}/group", {"group": "partners"})["group"] == "partners"
    for terms_now, wrong in (({"markup": "-5%"}, "wholesale"), ({"markup": "cheap"}, "percentage")):
        refused = program.ask("PUT", "/groups/partners", terms_now)
        assert (refused.status_code, wrong in refused.text) == (400, True), refused.text
    later = {"effective_from": "2032-01-01", "markup": "25%", "group": "partners"}
    change = program.done("POST", "/prices/changes", later)
    assert (change["group"], change["markup"], change["model"]) == ("partners", "25%", None)
    assert ">partners</code>" in colleague(any_shop, role="admin").get("/console/pricing/scheduled").text
    program.done("DELETE", f"/prices/changes/{change['id']}")
    kept = program.done("PUT", "/groups/partners", {"markup": "10%"})
    assert (kept["title"], kept["limits"]["requests_per_minute"], kept["customers"]) == (None, None, 1)
    assert [one["id"] for one in program.done("GET", "/groups")["groups"]] == ["partners"]
    assert program.ask("PUT", f"/customers/{buyer.id}/group", {"group": "nobody"}).status_code == 404
    assert program.done("DELETE", "/groups/partners")["id"] == "partners"
    assert program.done("PUT", f"/customers/{buyer.id}/group", {"group": None})["group"] is None
    for name in ("x y", "-x", "%C3%A9", "x" * 64):
        refused = program.ask("PUT", f"/groups/{name}", {})
        assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "group"), name


def test_reports_of_abuse_are_decided_without_who_reported(any_shop: Shop) -> None:
    program, buyer = Program(any_shop), any_shop.customer()
    made = reported(any_shop, buyer)
    listed = program.done("GET", "/abuse?status=open")["reports"]
    assert [one["id"] for one in listed if one["customer_id"] == buyer.id] == [made["id"]]
    one = program.done("GET", f"/abuse/{made['id']}")
    assert (one["customer_id"], one["decisions"]) == (buyer.id, ["restrict", "dismiss"])
    past = {"words": "Why?", "until": "2020-01-01"}
    assert program.ask("POST", f"/abuse/{made['id']}/restrict", past).status_code == 400
    assert program.ask("POST", f"/abuse/{made['id']}/restrict", {"words": " "}).status_code == 400
    assert program.ask("POST", f"/abuse/{made['id']}/lift").status_code == 409
    held = program.done("POST", f"/abuse/{made['id']}/restrict", {"words": "Phishing.", "until": "2040-01-01"})
    assert (held["status"], held["reason"], held["decisions"]) == ("restricted", "Phishing.", ["lift"])
    eventually(lambda: any_shop.call(buyer).status_code == 403, "the restriction")
    assert program.done("POST", f"/abuse/{made['id']}/lift", {"words": "Clear now."})["status"] == "lifted"
    assert program.ask("GET", "/abuse?status=gone").status_code == 400
    for document in (one, held):
        assert not {"upstream", "reference", "end_user"} & set(document)
        assert "mainspring" not in json.dumps(document)


def reported(shop: Shop, customer: Customer) -> Any:
    """A report of abuse by an upstream about the customer's latest call."""
    request_id = shop.call(customer).headers["x-request-id"]
    about = ("--request", request_id, "--upstream", "mainspring", "--reference", request_id, "--reason", "Phishing.")
    return eventually(
        lambda: made if "id" in (made := shop.try_("abuse", "report", *about)[1]) else None, "the call's record"
    )


def test_every_route_without_right(any_shop: Shop) -> None:
    ours, theirs = Program(any_shop), Program(any_shop, slug="lunaris")
    buyer = any_shop.customer()
    ours.done("PUT", "/groups/friends", {})
    change = ours.done("POST", "/prices/changes", {"effective_from": "2031-01-01", "markup": "77%"})["id"]
    order = any_shop.ask("order", "create", "--tenant", "solaria", "--customer", buyer.email, "--package", "sunbeam")
    voucher = ours.done("POST", "/vouchers", {"amount": "1.00"})["vouchers"][0]["id"]
    webhook = ours.done("POST", "/webhooks", {"url": "https://crm.invalid/hook"})["id"]
    values = {
        "customer": buyer.id,
        "key": buyer.key_id,
        "order": order["id"],
        "voucher": voucher,
        "package": "sunbeam",
        "change": change,
        "webhook": webhook,
        "group": "friends",
        "report": reported(any_shop, buyer)["id"],
        "delivery": ours.done("POST", f"/webhooks/{webhook}/test")["id"],
    }
    bodies: dict[str, Any] = {
        "suspend": {"reason": "x"},
        "reject": {"reason": "x"},
        "restrict": {"words": "x"},
        "uphold": {"words": "x"},
        "group": {"group": "friends"},
        "grants": {"amount": "1.00", "reason": "x"},
        "adjustments": {"amount": "1.00", "reason": "x"},
    }
    strangers = ("nobody", "sk-admin_" + "0" * 36, buyer.key, theirs.token)
    narrow = {
        scope: Program(any_shop, *(one for one in SCOPES if one.partition(":")[0] != scope.partition(":")[0]))
        for scope in SCOPES
    }
    for one in ENDPOINTS:
        url = url_of(one.path, values)
        where = (one.method, one.path)
        body = bodies.get(one.path.rpartition("/")[2], {})
        for token in strangers:
            answer = Program(any_shop, token=token).ask(one.method, url, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token"), where
        refused = narrow[one.scope].ask(one.method, url, body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted"), where
        if "{" in one.path and one.method != "PUT":
            foreign = theirs.ask(one.method, url, body)
            nothing = theirs.ask(one.method, url_of(one.path, dict.fromkeys(values, "nothing")), body)
            assert (foreign.status_code, nothing.status_code) == (404, 404), (where, foreign.text)
            assert "reseller-kit" not in foreign.text + nothing.text
            assert foreign.json()["error"]["code"] == nothing.json()["error"]["code"]
    ours.done("DELETE", f"/prices/changes/{change}")
    assert ours.done("DELETE", "/groups/friends")["customers"] == 0
    assert ours.done("DELETE", f"/webhooks/{webhook}")["status"] == "enabled"
    assert any_shop.ask("order", "show", order["id"])["status"] == "checkout_open"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nothing", b"", 404),
        ("PATCH", "/customers", b"", 405),
        ("POST", "/customers", b"{", 400),
        ("POST", "/customers", b"\xff", 400),
        ("POST", "/customers", b"[" * 100_000, 400),
        ("POST", "/customers", b'{"email": 1}', 400),
        ("POST", "/customers", b'{"email": "a@b.example", "role": "x"}', 400),
        ("POST", "/customers", b'{"email": "not an address"}', 400),
        ("POST", "/customers", b'{"email": "a@b.example", "name": "a\\u0000b"}', 400),
        ("POST", "/customers", b" " * 300_000, 413),
        ("GET", "/customers?limit=0", b"", 400),
        ("GET", "/customers?limit=%C2%B2", b"", 400),
        ("GET", "/customers?cursor=zzz", b"", 400),
        ("GET", "/customers?q=%00", b"", 400),
        ("GET", "/customers?q=%FF", b"", 400),
        ("GET", "/customers?colour=red", b"", 400),
        ("GET", "/usage?since=yesterday", b"", 400),
        ("GET", "/customers/%00", b"", 404),
        ("DELETE", "/packages/%00", b"", 404),
        ("DELETE", "/packages/%FF", b"", 404),
        ("POST", "/customers/nobody/credit/grants", b'{"package": "\\u0000", "reason": "x"}', 400),
        ("POST", "/customers", b'{"email": "a@b.example", "name": "\\ud800"}', 400),
        ("POST", "/customers/nobody/credit/grants", b'{"amount": 1.5, "reason": "x"}', 400),
        ("POST", "/customers/nobody/credit/grants", b'{"amount": "1.00", "amount": "500.00", "reason": "x"}', 400),
        ("POST", "/customers/nobody/credit/grants", b'{"amount": "1.00", "\\u0061mount": "5.00", "reason": "x"}', 400),
        ("PUT", "/groups/twice", b'{"limits": {"requests_per_minute": 1, "requests_per_minute": 9}}', 400),
        ("POST", "/vouchers", b'{"amount": "1.00", "count": 100000000000}', 400),
        ("POST", "/keys/key_1/rotate", b'{"overlap_hours": 99999999999999999}', 400),
    ],
)
def test_bad_requests_are_refused_in_one_form(
    any_shop: Shop, reader: Program, method: str, path: str, content: bytes, status: int
) -> None:
    answer = any_shop.request(method, BASE + path, reader.host, content, authorization=f"Bearer {reader.token}")
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "fix", "details"}
    assert error["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert not {"set-cookie", "location"} & answer.headers.keys()
    assert status != 413 or "256 KiB" in error["message"]


@pytest.fixture(scope="module")
def reader(shops: Any) -> Program:
    return Program(shops("sqlite"))


def test_a_token_ends_at_once_and_with_its_member(any_shop: Shop) -> None:
    made = Program(any_shop)
    assert made.ask("GET", "/customers").status_code == 200
    any_shop.ask("token", "revoke", "--tenant", "solaria", made.id)
    assert made.ask("GET", "/customers").status_code == 401
    ada = colleague(any_shop, role="admin")
    page = ada.http.post(
        "/console/tokens", data={"csrf": guard(ada), "action": "create", "name": "CRM", "scopes": ["keys", "orders"]}
    )
    assert page.status_code == 200
    secret = page.text.partition("data-secret>")[2].partition("<")[0]
    assert "-admin_" in secret
    program = Program(any_shop, token=secret)
    assert program.ask("GET", "/keys").status_code == 200
    assert secret not in ada.get("/console/tokens").text
    wrong = ada.http.post("/console/tokens", data={"csrf": guard(ada), "action": "create", "name": "CRM"})
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
    any_shop.ask("member", "remove", "--tenant", "solaria", "--email", ada.address)
    assert program.ask("GET", "/keys").status_code == 401


def guard(member: Colleague) -> str:
    return member.get("/console/tokens").text.partition('name="csrf" value="')[2].partition('"')[0]


def test_a_session_is_no_token(any_shop: Shop) -> None:
    ada = colleague(any_shop, role="admin")
    assert ada.get(f"{BASE}/customers").status_code == 401
    assert "console" in ada.http.cookies


def test_a_token_may_ask_so_often_a_minute(any_shop: Shop) -> None:
    program = Program(any_shop)
    answers = [program.ask("GET", "/nothing").status_code for _ in range(REQUESTS_A_MINUTE + 1)]
    assert answers[-1] == 429
    assert int(program.ask("GET", "/customers").headers["retry-after"]) <= 60


def test_the_description_is_the_brands(any_shop: Shop) -> None:
    assert Visitor(any_shop).get(f"{BASE}/openapi.json").status_code == 401
    answer = Program(any_shop).ask("GET", "/openapi.json")
    document = answer.json()
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "Solaria management API")
    assert "reseller" not in answer.text.replace("reseller's", "")
    listed = {(method.upper(), path) for path, some in document["paths"].items() for method in some}
    assert listed == {(one.method, one.path) for one in ENDPOINTS}
    names = [some["operationId"] for path in document["paths"].values() for some in path.values()]
    assert len(names) == len(set(names))
    admin = colleague(any_shop, role="admin")
    assert admin.get("/console/tokens/openapi.json").json() == document
    reference = admin.get("/console/tokens/reference").text.replace("<wbr>", "")
    assert all(f"{one.method} {one.path}" in reference for one in ENDPOINTS)
