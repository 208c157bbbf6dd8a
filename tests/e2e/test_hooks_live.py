"""Webhooks on the real server: asked for by page, program and command, signed, and delivered though a process dies."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from reseller_kit.db.operator_hooks import CLAIM_US
from tests.e2e.test_management_api import Program
from tests.support.members import Colleague, colleague
from tests.support.product import TEMPLATE, Shop, open_shop, prepared_shop
from tests.support.verdict import sqlite_path

PAGE = "/console/webhooks"
SECRET = re.compile(r"data-secret>(whsec_[^<]+)<")
NAME = 'name = "Zephyrline Wholesale"'


class Listener:
    """A receiver in a thread. `hold`: while set, requests are taken and not answered."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.hold = threading.Event()
        self.url = ""

    def bodies(self, kind: str) -> list[Any]:
        return [body for _, raw in list(self.got) if (body := json.loads(raw))["type"] == kind]


@contextmanager
def listener() -> Iterator[Listener]:
    made = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            while made.hold.is_set():
                time.sleep(0.05)
            try:
                self.send_response(made.status)
                self.end_headers()
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield made
    finally:
        made.hold.clear()
        server.shutdown()
        server.server_close()


def until(true: Callable[[], Any], seconds: float = 90.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Storefronts on a closed network, whose operator lets events go to this machine."""
    folder = tmp_path_factory.mktemp("closed-shop")
    with open_shop(folder, template=permitting(folder)) as shop:
        yield shop


def permitting(folder: Path) -> Path:
    template = folder / "closed.toml"
    template.write_text(TEMPLATE.read_text().replace(NAME, f"{NAME}\nprivate_upstreams = true"))
    return template


@pytest.fixture(scope="module")
def admin(closed: Shop) -> Colleague:
    return colleague(closed)


def test_an_endpoint_in_the_console_from_its_secret_to_its_log(closed: Shop, admin: Colleague) -> None:
    with listener() as crm:
        made = admin.send(PAGE, url=crm.url, description="CRM <b>", every="yes")
        assert made.status_code == 200
        found = SECRET.search(made.text)
        assert found is not None
        secret = found[1]
        (row,) = closed.ask("webhook", "list", "--tenant", "solaria")["webhooks"]
        one = f"{PAGE}/{row['id']}"
        assert secret not in admin.get(one).text + admin.get(PAGE).text
        assert "CRM &lt;b&gt;" in admin.get(PAGE).text
        buyer = closed.customer(credit=None)
        until(lambda: crm.bodies("key.created"))
        headers, raw = crm.got[0]
        Webhook(secret).verify(raw, headers)
        assert crm.bodies("customer.created")[0]["data"] == {"customer": buyer.id}
        assert "zephyrline" not in (raw.decode() + json.dumps(headers)).lower()
        assert "reseller" not in (raw.decode() + json.dumps(headers)).lower()
        crm.status = 500
        assert admin.send(one, action="test").headers["location"] == f"{one}?done=tested"
        until(lambda: crm.bodies("test"))
        until(lambda: ">500<" in admin.get(one).text)
        crm.status = 204
        delivery = closed.ask("webhook", "deliveries", row["id"], "--tenant", "solaria")["deliveries"][0]
        assert (delivery["type"], delivery["attempts"][-1]["status"]) == ("test", 500)
        admin.send(one, action="again", delivery=delivery["id"])
        until(lambda: len(crm.bodies("test")) > 1)
        rotated = admin.send(one, action="rotate")
        second = SECRET.search(rotated.text)
        assert second is not None
        assert second[1] != secret
        assert admin.send(one, action="disable").headers["location"] == f"{one}?done=disabled"
        refused = admin.send(one, action="test")
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
        admin.send(one, action="enable")
        wrong = admin.send(one, action="save", url="ftp://x", description="kept", events="order.paid")
        assert (wrong.status_code, 'value="ftp://x"' in wrong.text, 'value="kept"' in wrong.text) == (422, True, True)
        admin.send(one, action="save", url=crm.url, description="kept", events="order.paid")
        assert closed.ask("webhook", "show", row["id"], "--tenant", "solaria")["events"] == ["order.paid"]
        assert admin.send(one, action="remove").headers["location"] == f"{PAGE}?done=removed"
        assert closed.try_("webhook", "show", row["id"], "--tenant", "solaria")[0] == 4


def test_programs_make_change_and_remove_endpoints(closed: Shop) -> None:
    program = Program(closed, "webhooks")
    with listener() as crm:
        made = program.done("POST", "/webhooks", {"url": crm.url, "events": ["order.paid", "order.refunded"]})
        assert made["secret"].startswith("whsec_")
        one = f"/webhooks/{made['id']}"
        assert "secret" not in program.done("GET", one)
        assert program.done("PUT", one, {"description": "books"})["events"] == ["order.paid", "order.refunded"]
        buyer = closed.customer(credit=None)
        order = closed.ask("order", "create", "--tenant", "solaria", "--customer", buyer.email, "--package", "sunbeam")
        closed.ask("order", "approve", order["id"])
        until(lambda: crm.bodies("order.paid"))
        data = crm.bodies("order.paid")[0]["data"]
        assert (data["order"], data["customer"]) == (order["id"], buyer.id)
        assert len(crm.got) == 1
        (delivery,) = program.done("GET", f"{one}/deliveries")["deliveries"]
        until(lambda: program.done("GET", f"{one}/deliveries")["deliveries"][0]["status"] == "delivered")
        program.done("POST", f"{one}/deliveries/{delivery['id']}/redeliver")
        until(lambda: len(crm.got) == 2)
        assert crm.got[0][0]["webhook-id"] == crm.got[1][0]["webhook-id"] == delivery["event"]
        assert program.done("POST", f"{one}/test")["type"] == "test"
        assert program.done("POST", f"{one}/rotate")["secret"] != made["secret"]
        assert program.done("PUT", one, {"enabled": False})["status"] == "disabled"
        assert program.ask("POST", f"{one}/test").status_code == 409
        assert program.ask("PUT", one, {"url": "http://example.com"}).status_code == 400
        assert program.ask("PUT", one, {"events": []}).status_code == 400
        program.done("DELETE", one)
        assert program.ask("GET", one).status_code == 404
        trail = closed.ask("audit", "list", "--tenant", "solaria", "--limit", "20")["events"]
        assert {"webhook.create", "webhook.rotate", "webhook.remove"} <= {row["action"] for row in trail}


def test_a_suspended_storefronts_systems_hear_of_it(closed: Shop) -> None:
    with listener() as crm:
        made = closed.ask("webhook", "create", "--tenant", "lunaris", "--url", crm.url, "--events", "tenant.suspended")
        closed.ask("tenant", "suspend", "lunaris", "--reason", "unpaid")
        closed.ask("tenant", "resume", "lunaris")
        until(lambda: crm.bodies("tenant.suspended"))
        assert crm.bodies("tenant.suspended")[0]["data"] == {"storefront": "lunaris"}
        closed.ask("webhook", "remove", made["id"], "--tenant", "lunaris")


def test_on_the_open_internet_nothing_goes_inside(any_shop: Shop) -> None:
    for url in ("http://127.0.0.1:9/hook", "https://127.0.0.1/hook", "https://169.254.169.254/", "https://localhost/"):
        code, document = any_shop.try_("webhook", "create", "--tenant", "solaria", "--url", url)
        assert (code, bool(document["error"]["fix"])) == (2, True)


def let_claims_run_out(shop: Shop) -> None:
    """A minute passes for what is claimed."""
    connection = sqlite3.connect(sqlite_path(shop))
    with connection:
        aged = connection.execute("UPDATE hook_delivery SET due_at = due_at - ? WHERE state = 'waiting'", (CLAIM_US,))
    connection.close()
    assert aged.rowcount == 1


def test_a_killed_process_leaves_the_event_to_the_next_one(tmp_path: Path) -> None:
    with prepared_shop(tmp_path, template=permitting(tmp_path)) as prepare, listener() as crm:
        with prepare(1) as victim:
            victim.ask("webhook", "create", "--tenant", "solaria", "--url", crm.url)
            crm.hold.set()
            victim.ask("customer", "create", "--tenant", "solaria", "--email", "jane@solaria.example")
            until(lambda: crm.got)
            victim.server.child.process.kill()
            victim.server.child.process.wait()
            let_claims_run_out(victim)
        crm.hold.clear()
        with prepare(1):
            until(lambda: len(crm.got) > 1)
    first, second = crm.got[:2]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]
