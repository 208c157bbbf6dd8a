"""The double's webhooks: what is signed and how, retries, and each fault that can be asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.paddle_double import SECRET, PaddleDouble, paddle_double


@dataclass
class Receiver:
    """What came, as (verified, when it was signed in seconds, event); `failures` are answered with 503 first."""

    port: int = 0
    came: list[tuple[bool, int, dict[str, Any]]] = field(default_factory=list)
    failures: int = 0

    def take(self, body: bytes, header: str) -> int:
        parts = [part.split("=", 1) for part in header.split(";")]
        timestamp = int(next(value for name, value in parts if name == "ts"))
        expected = hmac.new(SECRET.encode(), b"%d:%b" % (timestamp, body), hashlib.sha256).hexdigest()
        verified = expected in [value for name, value in parts if name == "h1"]
        self.came.append((verified, timestamp, json.loads(body)))
        if self.failures:
            self.failures -= 1
            return 503
        return 200

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those with a good signature."""
        return [event for verified, _, event in self.came if verified]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(found.take(body, self.headers["paddle-signature"]))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def shared(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleDouble]:
    folder, url = tmp_path_factory.mktemp("double"), f"http://127.0.0.1:{receiver.port}/webhooks/paddle"
    with paddle_double(folder, "--retry-seconds", "0.01", webhook_url=url) as double:
        yield double


@pytest.fixture
def double(shared: PaddleDouble, receiver: Receiver) -> PaddleDouble:
    shared.heal()
    shared.settle()
    receiver.came.clear()
    return shared


def make_product(double: PaddleDouble, name: str = "Credits") -> str:
    answer = double.api("POST", "/products", {"name": name, "tax_category": "saas"})
    assert answer.status_code == 201
    identifier: str = answer.json()["data"]["id"]
    return identifier


def test_an_event_is_signed_over_its_bytes_and_bears_the_object(double: PaddleDouble, receiver: Receiver) -> None:
    began = int(time.time())
    product = make_product(double)
    double.settle()
    ((verified, signed_at, event),) = receiver.came
    assert verified
    assert began <= signed_at <= time.time()
    assert (event["event_type"], event["data"]["id"]) == ("product.created", product)
    assert event["event_id"].startswith("evt_")
    assert event["notification_id"].startswith("ntf_")


def test_a_rotation_signs_with_each_secret(double: PaddleDouble, receiver: Receiver) -> None:
    double.set(secrets=["another", SECRET])
    make_product(double)
    double.settle()
    double.set(secrets=[SECRET])
    assert [verified for verified, _, _ in receiver.came] == [True]


def test_what_is_not_taken_comes_again_as_the_same_notification(double: PaddleDouble, receiver: Receiver) -> None:
    receiver.failures = 3
    make_product(double)
    double.settle()
    assert len(receiver.came) == 4
    assert len({event["notification_id"] for event in receiver.events}) == 1
    assert [line["attempt"] for line in double.deliveries()[-4:]] == [1, 2, 3, 4]


def test_duplicates_are_the_same_event_under_other_notifications(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("duplicate", count=3)
    make_product(double)
    double.settle()
    assert len({event["event_id"] for event in receiver.events}) == 1
    assert len({event["notification_id"] for event in receiver.events}) == 4


def test_a_shuffle_changes_the_order_and_loses_nothing(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("shuffle", count=12, times=None)
    made = [make_product(double) for _ in range(12)]
    double.settle()
    came = [event["data"]["id"] for event in receiver.events]
    assert sorted(came) == sorted(made)
    assert came != made


def test_a_dropped_event_never_comes_but_stays_in_the_list(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("drop", match="product.*")
    product = make_product(double)
    double.settle()
    assert receiver.came == []
    assert product in {event["data"]["id"] for event in double.get("/events", event_type="product.created")}


def test_forged_copies_come_first_and_nobody_signed_them(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("forge", count=2)
    make_product(double)
    double.settle()
    assert [verified for verified, _, _ in receiver.came] == [False, False, True]
    assert len({event["event_id"] for _, _, event in receiver.came}) == 3


def test_a_stale_delivery_is_well_signed_in_the_past(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("stale", seconds=600)
    make_product(double)
    double.settle()
    assert [(verified, signed_at < time.time() - 590) for verified, signed_at, _ in receiver.came] == [(True, True)]


def test_a_delayed_event_comes_after_later_ones(double: PaddleDouble, receiver: Receiver) -> None:
    double.fault("delay", seconds=0.2)
    late, early = make_product(double), make_product(double)
    double.settle()
    assert [event["data"]["id"] for event in receiver.events] == [early, late]


def test_events_can_be_played_again_from_the_start(double: PaddleDouble, receiver: Receiver) -> None:
    make_product(double)
    double.settle()
    (before,) = receiver.events
    double.ask("POST", f"events/{before['event_id']}/replay")
    double.settle()
    assert [event["event_id"] for event in receiver.events] == [before["event_id"]] * 2
    assert receiver.events[1]["notification_id"] != before["notification_id"]


def test_a_destination_of_its_own_gets_what_it_subscribed_to(double: PaddleDouble, receiver: Receiver) -> None:
    terms = {
        "description": "second",
        "destination": f"http://second.localhost:{receiver.port}/",
        "type": "url",
        "subscribed_events": ["product.updated"],
        "include_sensitive_fields": False,
    }
    setting = double.api("POST", "/notification-settings", terms).json()["data"]
    product = make_product(double)
    double.api("PATCH", f"/products/{product}", {"name": "Other"})
    double.settle()
    assert double.api("DELETE", f"/notification-settings/{setting['id']}").status_code == 204
    by_type = sorted((event["event_type"], verified) for verified, _, event in receiver.came)
    assert by_type == [("product.created", True), ("product.updated", False), ("product.updated", True)]
    elsewhere = double.api("POST", "/notification-settings", terms | {"destination": "https://example.com/"})
    assert elsewhere.status_code == 400


def test_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="this machine"), paddle_double(tmp_path, "--host", "192.0.2.1"):
        pass
