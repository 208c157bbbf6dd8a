"""What the operator changes while a server runs: effective at once, and never for a call that is under way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support import raw_http
from tests.support.product import Customer, Shop, amounts_of, chat_request, eventually

SOON = 10.0
"""Effective within a second is promised; a busy test machine gets ten."""

FRESH = """
[[tenants]]
slug = "fresh"
name = "Fresh Paint"
status = "active"
theme = "midnight"
  [[tenants.domains]]
  host = "fresh.localhost"
"""


@contextmanager
def restored(shop: Shop) -> Iterator[None]:
    """The shop's own file is in force again afterwards."""
    try:
        yield
    finally:
        shop.apply(shop.text, "--prune")


def status_of(shop: Shop, customer: Customer) -> int:
    return shop.http.get(f"{customer.origin}/v1/models", headers=customer.headers).status_code


def wait_for_status(shop: Shop, customer: Customer, status: int) -> None:
    eventually(lambda: status_of(shop, customer) == status, f"status {status}", SOON)


def wait_for_page(shop: Shop, host: str, status: int, path: str = "/") -> httpx.Response:
    def found() -> httpx.Response | None:
        answer = shop.get(path, host)
        return answer if answer.status_code == status else None

    return eventually(found, f"status {status}", SOON)


def test_a_revoked_key_stops_to_work(shop: Shop) -> None:
    customer = shop.customer()
    other = shop.with_key(customer.slug, customer.email, customer.id)
    assert shop.call(customer).status_code == 200
    assert status_of(shop, other) == 200
    shop.ask("key", "revoke", customer.key_id)
    wait_for_status(shop, customer, 401)
    assert shop.call(customer).json()["error"]["code"] == "invalid_api_key"
    assert status_of(shop, other) == 200


def test_a_rotated_key_gives_way_to_the_new_one(any_shop: Shop) -> None:
    customer = any_shop.customer()
    assert status_of(any_shop, customer) == 200
    new = any_shop.ask("key", "rotate", customer.key_id)["key"]
    wait_for_status(any_shop, customer, 401)
    assert status_of(any_shop, dataclasses.replace(customer, key=new)) == 200


def test_a_new_key_and_new_credit_work_at_once(any_shop: Shop) -> None:
    customer = any_shop.customer(credit=None)
    assert any_shop.call(customer, max_tokens=10).status_code == 402
    any_shop.grant(customer.slug, customer.email, "1.00")
    assert any_shop.call(customer, max_tokens=10).status_code == 200


def test_a_suspended_customer_is_refused_until_it_is_resumed(shop: Shop) -> None:
    customer, neighbour = shop.customer(), shop.customer()
    assert (status_of(shop, customer), status_of(shop, neighbour)) == (200, 200)
    shop.ask("customer", "suspend", *customer.owner, "--reason", "test")
    wait_for_status(shop, customer, 403)
    answer = shop.call(customer)
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("account_suspended", "permission_error")
    assert answer.headers["x-should-retry"] == "false"
    assert status_of(shop, neighbour) == 200
    shop.ask("customer", "resume", *customer.owner)
    wait_for_status(shop, customer, 200)


def test_a_suspended_tenant_says_so_honestly(shop: Shop) -> None:
    customer = shop.customer("turning")
    host = "turning.localhost"
    assert (status_of(shop, customer), shop.get("/", host).status_code) == (200, 200)
    shop.ask("tenant", "suspend", "turning", "--reason", "an unpaid bill")
    wait_for_status(shop, customer, 403)
    page = wait_for_page(shop, host, 503)
    assert int(page.headers["retry-after"]) > 0
    assert "Turning" in page.text
    assert "unpaid" not in page.text
    for path in ("/pricing", "/models", "/docs/quickstart", "/nothing"):
        assert shop.get(path, host).status_code == 503
    assert shop.call(customer).json()["error"]["code"] == "account_suspended"
    assert shop.get("/internal/tls-allowed?domain=turning.localhost", "x").status_code == 200
    # apply knows nothing of a suspension and leaves it alone.
    shop.apply(shop.text)
    assert shop.ask("tenant", "show", "turning")["suspended"] is True
    shop.ask("tenant", "resume", "turning")
    wait_for_status(shop, customer, 200)
    wait_for_page(shop, host, 200)


@pytest.mark.parametrize(("host", "status"), [("sketch.localhost", 503), ("bygone.localhost", 410)])
def test_a_storefront_that_is_not_open_has_one_honest_page(any_shop: Shop, host: str, status: int) -> None:
    for path in ("/", "/pricing", "/models", "/nothing"):
        page = any_shop.get(path, host)
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert ("retry-after" in page.headers) is (status == 503)
        assert "noindex" in page.text
        assert "gpt-5" not in page.text


def test_a_new_storefront_opens_and_closes_with_the_file(shop: Shop) -> None:
    with restored(shop):
        assert shop.get("/", "fresh.localhost").status_code == 421
        shop.apply(shop.text + FRESH)
        assert "Fresh Paint" in wait_for_page(shop, "fresh.localhost", 200).text
        made = shop.ask("customer", "create", "--tenant", "fresh", "--email", "a@fresh.example")
        customer = shop.with_key("fresh", "a@fresh.example", made["id"])
        assert status_of(shop, customer) == 200
        shop.apply(shop.text + FRESH.replace('"fresh.localhost"', '"fresher.localhost"'), "--prune")
        wait_for_page(shop, "fresh.localhost", 421)
        wait_for_page(shop, "fresher.localhost", 200)
        shop.apply(shop.text + FRESH.replace('"active"', '"archived"'), "--prune")
        page = wait_for_page(shop, "fresh.localhost", 410)
        assert "Fresh Paint" in page.text
        assert shop.call(customer).json()["error"]["code"] == "account_suspended"
        assert shop.get("/internal/tls-allowed?domain=fresh.localhost", "x").status_code == 403


def test_a_model_that_is_taken_out_is_gone(any_shop: Shop) -> None:
    customer = any_shop.customer("turning")
    with restored(any_shop):
        domain = '  host = "turning.localhost"\n'
        denied = any_shop.text.replace(domain, domain + '  [tenants.catalog]\n  deny = ["gpt-5"]\n')
        assert denied != any_shop.text
        any_shop.apply(denied)
        eventually(lambda: any_shop.call(customer, model="gpt-5").status_code == 404, "the change", SOON)
        assert any_shop.call(customer).status_code == 200
        assert ">gpt-5<" not in any_shop.get("/pricing", "turning.localhost").text
    eventually(lambda: any_shop.call(customer, model="gpt-5").status_code == 200, "the change back", SOON)


def test_a_new_price_is_for_new_calls(shop: Shop) -> None:
    customer = shop.customer("turning")
    dearer = shop.text.replace('markup = "20%"', 'markup = "61.5%"')
    assert dearer != shop.text
    with restored(shop), raw_http.connection(shop.server.port) as opened:
        opened.sendall(chat_request(customer, "[[input=900 cached=0 output=40 pace=0.1]]", stream=True))
        raw_http.read_until(opened, b"brown")
        shop.apply(dearer)
        eventually(lambda: dearer_price_is_shown(shop), "the new price", SOON)
        new = shop.record(customer, shop.call(customer, "[[input=900 cached=0 output=40]]").headers["x-request-id"])
        raw_http.read_until(opened, b"[DONE]")
    old = eventually(lambda: [record for record in shop.records(customer) if record["stream"]], "the settle")[0]
    # The upstream writes down a stream behind its last byte.
    usage = eventually(lambda: shop.journal(old["id"]), "the journal's line")[0]["usage"]
    assert amounts_of(old) == shop.expected(old, usage)
    assert amounts_of(new) == shop.expected(new, usage, dearer)
    assert amounts_of(new).retail > amounts_of(old).retail
    for record in (old, new):
        explained = shop.ask("usage", "explain", record["id"])
        assert record["retail"] in str(explained)
    shop.assert_books_are_right()


def dearer_price_is_shown(shop: Shop) -> bool:
    # 2.00 + 10 % + 61.5 %
    return "3.553" in shop.get("/pricing", "turning.localhost").text
