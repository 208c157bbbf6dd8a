"""What an operator sees of two worker processes: figures of both, one line a request, and traces at a collector."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.otlp import Collector, Span, collecting
from tests.support.product import Customer, Shop, eventually, open_shop

DESK = "desk.localhost"
PARENT_SPAN = "b7ad6b7169203331"
FIELDS = {
    *("time", "message", "request_id", "tenant", "host", "surface", "method", "route", "status", "outcome"),
    *("latency_ms", "first_byte_ms", "bytes", "model", "upstream", "attempts"),
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Shop]:
    environment = {"RESELLER_KIT_OTLP_URL": collector.url, "RESELLER_KIT_TRUSTED_PROXIES": "127.0.0.1"}
    with open_shop(tmp_path_factory.mktemp("watched"), workers=2, environment=environment) as shop:
        yield shop


def figures(shop: Shop) -> dict[str, float]:
    lines = shop.get("/metrics", DESK).text.splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


def total(shop: Shop, pattern: str) -> float:
    return sum(value for name, value in figures(shop).items() if re.match(pattern, name))


def lines(shop: Shop) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in shop.log().splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] == "request"]


def line_of(shop: Shop, request_id: str) -> dict[str, Any]:
    return eventually(lambda: next((line for line in lines(shop) if line["request_id"] == request_id), None), "a line")


def trace_of(collector: Collector, request_id: str) -> list[Span]:
    return eventually(lambda: collector.of_request(request_id), "a trace")


@pytest.fixture(scope="module")
def customer(watched: Shop) -> Customer:
    return watched.customer()


def test_every_process_answers_with_the_figures_of_all(watched: Shop, customer: Customer) -> None:
    for number in range(12):
        # A connection of its own: the next one may reach the other process.
        answer = watched.call(customer, f"number {number}", "tiny", headers={"connection": "close"})
        assert answer.status_code == 200
    # No other test calls this model.
    name = 'reseller_kit_calls_total{model="tiny",outcome="ok",tenant="solaria"}'

    def told() -> bool:
        """A worker's figures of the others are two seconds old at most."""
        found = figures(watched)
        return (
            found.get(name) == 12
            and found['reseller_kit_holds_total{outcome="placed"}'] >= 12
            and found['reseller_kit_settles_total{outcome="settled"}'] >= 12
            and found["reseller_kit_ledger_batch_items_sum"] >= 24
            and found['reseller_kit_call_duration_seconds_count{upstream="mainspring"}'] >= 12
            and found["reseller_kit_open_calls"] == found["reseller_kit_open_streams"] == 0
            and found["reseller_kit_event_loop_lag_seconds_count"] > 0
        )

    eventually(told, "all calls")
    for _ in range(6):
        found = figures(watched)
        assert found[name] == 12
        assert found["reseller_kit_database_up"] == 1
        assert found['reseller_kit_build_info{version="0.1.0"}'] == 1
        assert found['reseller_kit_backlog{queue="mails"}'] >= 0


def test_no_label_names_a_key_or_a_customer(watched: Shop, customer: Customer) -> None:
    watched.call(customer)
    text = watched.get("/metrics", DESK).text
    assert {*re.findall(r'[{,]([a-z_]+)="', text)} <= {
        *("tenant", "model", "upstream", "outcome", "code", "surface", "state", "event", "direction", "level"),
        *("queue", "version", "le"),
    }
    for secret in (customer.key, customer.key_id, customer.id, customer.email):
        assert secret not in text


def test_a_call_is_one_line(watched: Shop, customer: Customer) -> None:
    answer = watched.call(customer, "hello", stream=True)
    line = line_of(watched, answer.headers["x-request-id"])
    assert line.keys() == {*FIELDS, "level", "logger"} & line.keys() | FIELDS
    assert (line["tenant"], line["surface"], line["method"]) == ("solaria", "api", "POST")
    assert (line["route"], line["status"], line["outcome"]) == ("/v1/chat/completions", 200, "ok")
    assert (line["model"], line["upstream"], line["attempts"]) == ("gpt-5-mini", "mainspring", 1)
    assert line["bytes"] == len(answer.content)
    assert 0 <= line["first_byte_ms"] <= line["latency_ms"]


@pytest.mark.parametrize(
    ("method", "path", "host", "route", "outcome"),
    [
        ("GET", "/pricing?secret=hidden", "solaria.localhost", "/pricing", "ok"),
        ("HEAD", "/pricing", "solaria.localhost", "/pricing", "ok"),
        ("GET", "/legal/hidden", "solaria.localhost", "/legal/{name}", "refused"),
        ("GET", "/no-such-page-hidden", "solaria.localhost", "none", "refused"),
        ("GET", "/v1/models/hidden", "solaria.localhost", "/v1/models/{name}", "invalid_api_key"),
        ("GET", "/v1/hidden", "solaria.localhost", "none", "not_found"),
        ("GET", "/console/api/v1/customers", "solaria.localhost", "none", "refused"),
        ("POST", "/webhooks/hidden", "solaria.localhost", "/webhooks/{provider}", "refused"),
        ("GET", "/login", DESK, "/login", "ok"),
        ("GET", "/", "hidden.example", "none", "refused"),
        ("GET", "/internal/hidden", DESK, "none", "refused"),
    ],
)
def test_a_line_names_the_route_and_not_what_was_typed(
    watched: Shop, method: str, path: str, host: str, route: str, outcome: str
) -> None:
    answer = watched.request(method, path, host)
    line = line_of(watched, answer.headers["x-request-id"])
    assert (line["method"], line["route"], line["status"]) == (method, route, answer.status_code)
    assert line["outcome"] == outcome
    assert "hidden" not in json.dumps(line)


def test_probes_are_counted_and_not_logged(watched: Shop) -> None:
    before = total(watched, r'reseller_kit_http_requests_total\{code="2xx",surface="infra"')
    assert watched.get("/healthz", DESK).status_code == 200
    eventually(
        lambda: total(watched, r'reseller_kit_http_requests_total\{code="2xx",surface="infra"') >= before + 1, "a count"
    )
    assert not [line for line in lines(watched) if line["route"] == "/healthz"]


def test_a_call_is_one_trace_of_its_parts(watched: Shop, customer: Customer, collector: Collector) -> None:
    trace = uuid4().hex
    answer = watched.call(customer, "hello", headers={"traceparent": f"00-{trace}-{PARENT_SPAN}-01"})
    spans = trace_of(collector, answer.headers["x-request-id"])
    by_name = {span.name: span for span in spans}
    root = by_name["POST /v1/chat/completions"]
    assert by_name.keys() == {root.name, "authenticate", "hold", "upstream", "settle"}
    assert (root.trace, root.parent) == (trace, PARENT_SPAN)
    assert {span.parent for span in spans if span is not root} == {root.id}
    assert root.facts["reseller_kit.outcome"] == by_name["settle"].facts["reseller_kit.outcome"] == "ok"
    assert by_name["upstream"].facts["reseller_kit.upstream"] == "mainspring"
    names = {name for span in spans for name in span.facts}
    assert names <= {
        f"reseller_kit.{name}"
        for name in ("request_id", "tenant", "surface", "status", "model", "attempts", "outcome", "upstream")
    }


def test_a_trace_stays_with_the_operator(watched: Shop, customer: Customer, collector: Collector) -> None:
    trace = uuid4().hex
    sent_along = {"traceparent": f"00-{trace}-{PARENT_SPAN}-01", "tracestate": "a=b", "baggage": "c=d"}
    answer = watched.call(customer, "hello", headers=sent_along)
    trace_of(collector, answer.headers["x-request-id"])
    assert trace not in answer.text + str(answer.headers)
    sent = json.dumps(watched.journal(answer.headers["x-request-id"]))
    assert sent != "[]"
    assert not re.search(f"{trace}|traceparent|tracestate|baggage", sent)


def test_strangers_begin_their_own_trace(watched: Shop, customer: Customer, collector: Collector) -> None:
    url, trace = f"http://127.0.0.2:{watched.server.port}/v1/models", uuid4().hex
    transport = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(transport=transport, trust_env=False) as stranger:
        answer = stranger.get(url, headers={**customer.headers, "traceparent": f"00-{trace}-{PARENT_SPAN}-01"})
    assert answer.status_code == 200
    assert trace not in {span.trace for span in trace_of(collector, answer.headers["x-request-id"])}


def test_calls_go_on_when_the_collector_is_away(watched: Shop, customer: Customer, collector: Collector) -> None:
    collector.status = 503
    try:
        answers = [watched.call(customer) for _ in range(5)]
    finally:
        collector.status = 200
    assert [answer.status_code for answer in answers] == [200] * 5


def test_doctor_asks_a_running_server(watched: Shop) -> None:
    code, document = watched.try_("doctor", "--server", watched.server.url(""))
    assert not [each for each in document["findings"] if each["code"].startswith("DR13")], document
    upstream = f"http://127.0.0.1:{watched.mainspring.port}"
    code, document = watched.try_("doctor", "--server", upstream)
    assert code == 6
    found = {each["code"] for each in document["findings"]}
    assert {"DR131", "DR132"} <= found
