"""The customer portal on the real server: keys, usage, exports, the live view and the playground."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from reseller_kit.core.ids import new_id
from tests.support.accounts import Visitor, newest_mail, problems
from tests.support.product import Shop, eventually

NUMBERS = itertools.count(1)
SECRET = re.compile(r"data-secret>([^<]+)<")
KEY_ID = re.compile(r"/account/keys/(key_[0-9A-Z]{26})")
HIDDEN_FROM_CUSTOMERS = ("wholesale", "mainspring", "sparewheel", "rawfeed", "zephyrline", "reseller")
ANSWER = "/account/playground/answer"


class Customer(Visitor):
    """A customer in its portal."""

    def __init__(self, shop: Shop, slug: str = "solaria", credit: str | None = "5.00", **headers: str) -> None:
        super().__init__(shop, slug, **headers)
        self.email = f"portal{next(NUMBERS)}@{slug}.example"
        self.join(self.email)
        if credit is not None:
            shop.grant(slug, self.email, credit)

    @property
    def owner(self) -> tuple[str, ...]:
        return ("--tenant", self.slug, "--customer", self.email)

    def new_key(self, **fields: str) -> tuple[str, str]:
        """Make a key by the form; the key and its id."""
        answer = self.send("/account/keys", **fields)
        assert answer.status_code == 200, problems(answer)
        secret, key_id = SECRET.search(answer.text), KEY_ID.search(answer.text)
        assert secret is not None
        assert key_id is not None
        return secret[1], key_id[1]

    def call(self, key: str, **headers: str) -> httpx.Response:
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        return self.http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}", **headers})

    @property
    def csrf(self) -> str:
        found = re.search(r'data-csrf="([0-9a-f]+)"', self.get("/account/playground").text)
        assert found is not None
        return found[1]

    def ask(self, csrf: str | None = None, **changed: Any) -> httpx.Response:
        """What the playground's script sends."""
        body = {
            "model": "gpt-5-mini",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            **changed.pop("body", {}),
        }
        headers = {"x-csrf-token": self.csrf if csrf is None else csrf, **changed.pop("headers", {})}
        return self.http.post(ANSWER, json=body, headers=headers, **changed)


@pytest.fixture
def kim(any_shop: Shop) -> Customer:
    return Customer(any_shop)


def test_from_sign_up_to_the_first_call_and_its_charge(shop: Shop) -> None:
    kim = Customer(shop, credit=None)
    steps = 'class="checklist" data-done="{}"'
    assert steps.format(1) in kim.get("/account").text
    shop.grant("solaria", kim.email, "5.00")
    assert steps.format(2) in kim.get("/account/steps").text
    key, _ = kim.new_key(name="laptop", limit="2.50", reset="monthly")
    assert key not in kim.get("/account/keys").text
    assert steps.format(3) in kim.get("/account").text
    answer = kim.call(key)
    assert answer.status_code == 200
    request_id = answer.headers["x-request-id"]
    assert steps.format(4) in kim.get("/account/steps").text
    (record,) = shop.ask("usage", "list", *kim.owner)["records"]
    page = kim.get(f"/account/usage/{request_id}").text
    assert f"${record['retail']}" in page
    assert f"${record['retail']}" in kim.get("/account/usage").text
    for path in ("/account", "/account/keys", "/account/usage", f"/account/usage/{request_id}", "/account/playground"):
        shown = kim.get(path)
        assert shown.status_code == 200, path
        for word in HIDDEN_FROM_CUSTOMERS:
            assert word not in shown.text.lower(), (path, word)
    shop.assert_books_are_right()


def test_a_key_is_changed_replaced_and_revoked(kim: Customer) -> None:
    key, key_id = kim.new_key(name="first", models="gpt-*")
    page = f"/account/keys/{key_id}"
    assert kim.send(page, action="save", name="second", limit="1.00", reset="daily").status_code == 303
    shown = kim.get(page).text
    assert "second" in shown
    assert 'value="1.00"' in shown
    refused = kim.send(page, action="save", limit="-1", rpm="much", allow_ips="home")
    assert refused.status_code == 422
    assert problems(refused).keys() & {"limit", "rpm", "allow_ips"}
    made = kim.send(page, action="rotate", overlap="24")
    renewed = SECRET.search(made.text)
    assert renewed is not None
    assert (kim.call(key).status_code, kim.call(renewed[1]).status_code) == (200, 200)
    assert kim.send("/account/keys", action="revoke", id=key_id).status_code == 200
    eventually(lambda: kim.call(key).status_code == 401, "the key's end")
    assert kim.call(renewed[1]).status_code == 200
    assert kim.send(page, action="save", name="again").status_code == 422


def test_a_key_works_from_its_addresses_alone(kim: Customer) -> None:
    key, key_id = kim.new_key(allow_ips="203.0.113.0/24, 2001:db8::/32")
    for headers in ({}, {"x-forwarded-for": "203.0.113.7"}):
        refused = kim.call(key, **headers)
        assert refused.status_code == 403
        assert refused.headers["x-should-retry"] == "false"
        assert (refused.json()["error"]["code"], refused.json()["error"]["type"]) == (
            "address_not_allowed",
            "permission_error",
        )
    told = kim.http.post("/v1/messages", json={}, headers={"x-api-key": key})
    assert (told.status_code, told.json()["error"]["type"]) == (403, "permission_error")
    assert kim.send(f"/account/keys/{key_id}", action="save", allow_ips="127.0.0.0/8").status_code == 303
    eventually(lambda: kim.call(key).status_code == 200, "the new terms")


def test_nobody_elses_things_are_there(any_shop: Shop) -> None:
    kim, lee, stranger = Customer(any_shop), Customer(any_shop), Customer(any_shop, "lunaris")
    things = []
    for other in (lee, stranger):
        key, key_id = other.new_key(name="theirs")
        things += [(key_id, other.call(key).headers["x-request-id"])]
    missing = new_id("key"), new_id("req")
    alike = set()
    for key_id, request_id in (*things, missing):
        answers = (
            kim.get(f"/account/keys/{key_id}"),
            kim.send(f"/account/keys/{key_id}", "/account/keys", action="save", name="mine"),
            kim.send(f"/account/keys/{key_id}", "/account/keys", action="rotate", overlap="0"),
            kim.send("/account/keys", action="revoke", id=key_id),
            kim.get(f"/account/usage/{request_id}"),
            kim.get(f"/account/usage/{request_id}/charge"),
            kim.get("/account/usage", params={"id": request_id}),
        )
        alike.add(tuple(answer.status_code for answer in answers))
        assert "theirs" not in "".join(answer.text for answer in answers)
        assert request_id not in kim.get("/account/usage", params={"key": key_id}).text
    assert alike == {(404,) * 7}
    exported = kim.get("/account/usage/export.json", params={"key": things[0][0]}).json()
    assert exported == {"records": []}
    assert kim.send("/account/usage", action="remove-alert", id=new_id("alr")).status_code == 404


def test_exports_are_streamed_and_complete(kim: Customer) -> None:
    key, _ = kim.new_key(name="x")
    ids = [kim.call(key).headers["x-request-id"] for _ in range(3)]
    answer = kim.get("/account/usage/export.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="usage-\d{8}-\d{8}\.csv"', answer.headers["content-disposition"])
    assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == ids[::-1]
    assert [row["id"] for row in kim.get("/account/usage/export.json").json()["records"]] == ids[::-1]
    assert kim.get("/account/usage/export.xml").status_code == 404


def test_addresses_that_make_no_sense_do_no_harm(kim: Customer) -> None:
    for query in (
        "since=x&until=y", "since=9999-12-31&until=0001-01-01", "range=%00", "status=nothing", "cursor=req_zzz",
        "model=%F0%9F%92%A9&key=%27%20OR%201%3D1", "since=2020-01-01&until=2030-01-01", "key=" + "k" * 5000,
    ):  # fmt: skip
        assert kim.get(f"/account/usage?{query}").status_code == 200, query
        assert kim.get(f"/account/usage/export.csv?{query}").status_code == 200, query
    assert kim.get("/account/keys?cursor=nonsense").status_code == 400


@contextmanager
def events(kim: Customer) -> Iterator[Iterator[str]]:
    with kim.http.stream("GET", "/account/usage/live", timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.iter_lines()


def test_calls_appear_live(kim: Customer) -> None:
    key, _ = kim.new_key(name="watched")
    with events(kim) as lines:
        request_id = kim.call(key).headers["x-request-id"]
        data = next(line for line in lines if line.startswith("data:"))
    news = json.loads(data.removeprefix("data:"))
    assert news["ids"] == [request_id]
    assert "watched" in news["html"]
    assert Visitor(kim.shop).get("/account/usage/live").status_code == 303


def test_the_playground_is_a_call_like_any_other(shop: Shop) -> None:
    kim = Customer(shop)
    answer = kim.ask()
    assert answer.status_code == 200
    chunks = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    usage = next(chunk["usage"] for chunk in chunks if chunk.get("usage"))
    request_id = answer.headers["x-request-id"]
    (record,) = shop.ask("usage", "list", *kim.owner)["records"]
    assert (record["id"], record["key"], record["key_prefix"]) == (request_id, "playground", "playground")
    assert (record["input_tokens"], record["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    charge = kim.get(f"/account/usage/{request_id}/charge").json()
    assert (charge["charge"], charge["charge_text"]) == (record["retail"], f"${record['retail']}")
    assert "Playground" in kim.get("/account/usage").text
    shop.assert_books_are_right()


def test_the_playground_believes_our_own_page_alone(kim: Customer) -> None:
    csrf = kim.csrf
    other = Customer(kim.shop)
    for answer in (
        kim.ask(csrf=""),
        kim.ask(csrf="0" * 64),
        kim.ask(csrf=other.csrf),
        kim.ask(csrf=csrf, headers={"origin": "http://evil.example"}),
        kim.ask(csrf=csrf, headers={"origin": "null"}),
        Visitor(kim.shop).http.post(ANSWER, json={}, headers={"x-csrf-token": csrf}),
    ):
        assert answer.status_code == 403, answer.text
    stranger = Visitor(kim.shop, "lunaris")
    for name, value in kim.http.cookies.items():
        stranger.keep(name, value)
    assert stranger.http.post(ANSWER, json={}, headers={"x-csrf-token": csrf}).status_code == 403
    assert kim.http.get(ANSWER).status_code == 405
    assert kim.ask(csrf=csrf, body={"model": "nothing"}).status_code == 404
    assert kim.http.post(ANSWER, content=b"{", headers={"x-csrf-token": csrf}).status_code == 400
    assert kim.shop.ask("usage", "list", *kim.owner)["records"] == []


def test_without_credit_the_playground_says_where_to_get_some(any_shop: Shop) -> None:
    kim = Customer(any_shop, credit=None)
    refused = kim.ask()
    assert refused.status_code == 402
    assert refused.json()["error"]["code"] == "insufficient_quota"


def test_who_is_suspended_reads_on_and_does_nothing(any_shop: Shop) -> None:
    kim = Customer(any_shop)
    key, key_id = kim.new_key(name="x")
    csrf = kim.csrf
    any_shop.ask("customer", "suspend", *kim.owner, "--reason", "test")
    for path in ("/account", "/account/keys", f"/account/keys/{key_id}", "/account/usage", "/account/playground"):
        page = kim.get(path)
        assert page.status_code == 200, path
        assert "This account is suspended" in page.text, path
    assert "Create key" not in kim.get("/account/keys").text
    assert kim.http.post("/account/keys", data={"csrf": csrf, "name": "more"}).status_code == 403
    assert kim.ask(csrf=csrf).status_code == 403
    eventually(lambda: kim.call(key).status_code == 403, "the end of calls")


def test_an_alert_is_made_and_removed(kim: Customer) -> None:
    assert kim.send("/account/usage", action="add-alert", period="day", threshold="0.000001").status_code == 303
    page = kim.get("/account/usage").text
    alert = re.search(r'name="id" value="(alr_[0-9A-Z]{26})"', page)
    assert alert is not None
    for fields in ({"period": "day", "threshold": "much"}, {"period": "year", "threshold": "1"}, {"threshold": "0"}):
        assert kim.send("/account/usage", action="add-alert", **fields).status_code == 422
    assert kim.send("/account/usage", action="remove-alert", id=alert[1]).status_code == 303
    assert alert[1] not in kim.get("/account/usage").text
    assert newest_mail(kim.shop, kim.email, "your spending") is None
