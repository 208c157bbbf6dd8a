"""What upstreams do wrong: who is charged what, what the caller is told, and that no upstream shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import httpx
import openai
import pytest

from tests.support import raw_upstream as raw
from tests.support.product import Customer, Shop, amounts_of
from tests.support.raw_upstream import CLOSE, RESET, Step

TRACES = (
    "openai", "emulat", "mainspring", "sparewheel", "rawfeed", "vendor", "org-", "proj_", "cf-ray", "fp_", "2025-08",
    "127.0.0.1", "zephyrline", "reseller", "upstream",
)  # fmt: skip
Stream = Literal[True, False]
ROLE = raw.delta(role="assistant", content="")


@pytest.fixture(scope="module")
def customer(shops: Callable[[str], Shop]) -> Customer:
    """One customer for all calls whose own record says everything."""
    return shops("sqlite").customer(credit="500.00")


def assert_no_trace(answer: httpx.Response) -> None:
    """Neither headers nor body tell who stands behind the storefront."""
    shown = (answer.text + json.dumps(dict(answer.headers))).lower()
    assert [trace for trace in TRACES if trace in shown] == []


def events(answer: httpx.Response) -> list[Any]:
    """The events of a stream; `[DONE]` as it is."""
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def record_of(shop: Shop, customer: Customer, answer: httpx.Response) -> dict[str, Any]:
    return shop.record(customer, answer.headers["x-request-id"])


def assert_unavailable(shop: Shop, customer: Customer, answer: httpx.Response, *attempts: int) -> None:
    """503 without a trace; one record that says so, with one of these numbers of attempts, and no charge."""
    assert answer.status_code == 503, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("service_unavailable", "api_error")
    assert answer.headers["x-should-retry"] == "false"
    assert_no_trace(answer)
    record = record_of(shop, customer, answer)
    assert (record["status"], record["http_status"]) == ("failed", 503)
    assert record["attempts"] in attempts
    assert {record["retail"], record["wholesale"], record["cost"]} == {"0.00"}


def assert_given_up(shop: Shop, customer: Customer, answer: httpx.Response) -> None:
    """A stream that opened and ends in an error: no word, no charge."""
    opening, last = events(answer)
    assert opening["choices"][0]["delta"]["role"] == "assistant"
    assert last["error"]["code"] == "service_unavailable"
    assert_no_trace(answer)
    record = record_of(shop, customer, answer)
    assert (record["status"], record["retail"], record["wholesale"], record["cost"]) == ("failed", *("0.00",) * 3)


def assert_cut(shop: Shop, customer: Customer, answer: httpx.Response) -> dict[str, Any]:
    """A stream that ends in an error, never in `[DONE]`, and is charged for what was delivered. Returns the record."""
    assert answer.status_code == 200
    *before, last = events(answer)
    assert last["error"]["code"] == "service_unavailable"
    assert "[DONE]" not in before
    assert_no_trace(answer)
    record = record_of(shop, customer, answer)
    assert (record["status"], record["usage_source"]) == ("cut", "estimated")
    assert Fraction(record["retail"]) > Fraction(record["wholesale"]) > Fraction(record["cost"]) > 0
    return record


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_request_that_the_upstream_refuses_is_refused_alike(
    any_shop: Shop, customer: Customer, status: int, stream: Stream
) -> None:
    answer = any_shop.call(customer, f"[[status={status}]]", stream=stream)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers.get("x-should-retry") == ("false" if status == 404 else None)
    assert_no_trace(answer)
    record = record_of(any_shop, customer, answer)
    assert (record["status"], record["http_status"], record["retail"]) == ("refused", status, "0.00")


def test_what_helps_the_caller_survives_the_cleaning(any_shop: Shop, customer: Customer) -> None:
    message = (
        "Unsupported value: 'temperature' does not support 0.1 with vendor/raw-1. Ask RawFeed at https://rawfeed.example"
        " with request id req_0123456789abcdef of org-rawfeed."
    )
    error = {"message": message, "code": "unsupported_value", "param": "temperature", "type": "invalid_request_error"}
    any_shop.rawfeed.will([raw.answer({"error": error}, 400)])
    answer = any_shop.call(customer, model="raw", temperature=0.1)
    assert answer.json()["error"] == {
        "message": "Unsupported value: 'temperature' does not support 0.1 with raw.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "unsupported_value",
    }
    too_long = "This model's maximum context length is 128000 tokens. See https://rawfeed.example"
    any_shop.rawfeed.will([raw.answer({"error": {"message": too_long, "code": None}}, 400)])
    with pytest.raises(openai.BadRequestError) as refused:
        any_shop.sdk(customer).chat.completions.create(model="raw", messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.code == "context_length_exceeded"
    assert "128000" in refused.value.message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [401, 402, 403, 408, 429, 500, 502, 503, 529])
def test_trouble_of_an_upstream_is_no_trouble_of_the_caller(
    any_shop: Shop, customer: Customer, status: int, stream: Stream
) -> None:
    answer = any_shop.call(customer, f"[[status={status} retry_after=77]]", stream=stream)
    any_shop.revive()
    # A key that is refused is not tried again; what may pass is, once.
    assert_unavailable(any_shop, customer, answer, 1 if status in {401, 402, 403, 429} else 2)
    assert "77" not in answer.headers.get("retry-after", "")


@pytest.mark.parametrize("fault", ["reset", "reset_after", "error=0", "cut=1"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_fails_before_content_costs_nothing(shop: Shop, fault: str, stream: Stream) -> None:
    customer = shop.customer()
    answer = shop.call(customer, f"[[{fault}]]", stream=stream)
    if stream and fault == "cut=1":
        assert_given_up(shop, customer, answer)
    else:
        # A reset on a connection that was kept open may be no fault at all, so that request is sent again by itself.
        assert_unavailable(shop, customer, answer, 2, 3)
    left = shop.balance(customer)
    assert (left["balance"], left["held"]) == ("5.00", "0.00")
    shop.assert_books_are_right()


FIRST_ROUTE_FAULTS: dict[str, Sequence[Step]] = {
    "401": [raw.answer({"error": {"message": "no"}}, 401)],
    "403": [raw.answer(b"<html>forbidden</html>", 403)],
    "429": [raw.answer({"error": {"message": "slow down"}}, 429)],
    "500": [raw.answer(b"", 500)],
    "redirect": [b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"],
    "closed": [CLOSE],
    "reset": [RESET],
    "head only": [b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", CLOSE],
    "no http": [b"SSH-2.0-OpenSSH_9.9\r\n", CLOSE],
    "html": [raw.answer(b"<html>welcome</html>", 200, "text/html")],
    "empty": [raw.answer(b"", 200)],
    "error in a 200": [raw.answer({"error": {"message": "overloaded", "code": 529}})],
    "no choices": [raw.answer(raw.completion(choices=[]))],
}
STREAM_ONLY_FAULTS: dict[str, Sequence[Step]] = {
    "error event": [raw.stream_head(), b'event: error\ndata: {"message":"no"}\n\n', CLOSE],
    "error object": [raw.stream_head(), raw.event(error={"message": "no"}), CLOSE],
    "role, then error": [raw.stream_head(), ROLE, raw.event(error={"message": "no"}), CLOSE],
    "role, then reset": [raw.stream_head(), ROLE, 0.05, RESET],
    "role, then end": [raw.stream_head(), ROLE, CLOSE],
    "nothing": [raw.stream_head(), CLOSE],
    "garbage": [raw.stream_head(), b"data: {not json\n\n", CLOSE],
}

FIRST_STREAM_FAULTS: dict[str, Sequence[Step]] = {**FIRST_ROUTE_FAULTS, **STREAM_ONLY_FAULTS}


@pytest.mark.parametrize("fault", FIRST_ROUTE_FAULTS)
def test_another_route_serves_what_the_first_could_not(any_shop: Shop, customer: Customer, fault: str) -> None:
    any_shop.rawfeed.will(FIRST_ROUTE_FAULTS[fault])
    answer = any_shop.call(customer, "[[input=700 cached=100 output=30]]", model="two-ways")
    any_shop.revive()
    assert_served_by_the_second(any_shop, customer, answer, fault)
    assert answer.json()["model"] == "two-ways"


@pytest.mark.parametrize("fault", FIRST_STREAM_FAULTS)
def test_another_route_serves_a_stream(any_shop: Shop, customer: Customer, fault: str) -> None:
    any_shop.rawfeed.will(FIRST_STREAM_FAULTS[fault])
    answer = any_shop.call(customer, "[[input=700 cached=100 output=30]]", model="two-ways", stream=True)
    any_shop.revive()
    assert_served_by_the_second(any_shop, customer, answer, fault)
    assert events(answer)[-1] == "[DONE]"
    # Nothing of the first route's beginning was sent.
    assert len([event for event in events(answer) if event != "[DONE]" and "role" in str(event["choices"])]) == 1


def assert_served_by_the_second(shop: Shop, customer: Customer, answer: httpx.Response, fault: str) -> None:
    assert answer.status_code == 200, answer.text
    assert_no_trace(answer)
    record = record_of(shop, customer, answer)
    assert (record["upstream"], record["upstream_model"]) == ("sparewheel", "vendor/two-b")
    assert record["status"] == "ok"
    assert record["attempts"] in ({2, 3} if fault in {"reset", "closed"} else {2})
    (line,) = shop.journal(answer.headers["x-request-id"])
    assert line["name"] == "sparewheel"
    assert amounts_of(record) == shop.expected(record, line["usage"])
    # The charge follows the public model, whose cost is the dearest of its routes; the cost follows the route.
    assert Fraction(record["cost"]) == Fraction(700 * 800_000 + 30 * 3_500_000, 10**12)
    assert Fraction(record["wholesale"]) == Fraction(700 * 1_100_000 + 30 * 3_850_000, 10**12)


def test_when_every_route_fails_nobody_pays(any_shop: Shop, customer: Customer) -> None:
    any_shop.rawfeed.will([RESET])
    answer = any_shop.call(customer, "[[status=500]]", model="two-ways")
    assert_unavailable(any_shop, customer, answer, 3)


def test_a_refusal_of_the_request_is_not_tried_elsewhere(any_shop: Shop, customer: Customer) -> None:
    any_shop.rawfeed.will([raw.answer({"error": {"message": "Invalid schema for response_format."}}, 400)])
    answer = any_shop.call(customer, model="two-ways")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Invalid schema for response_format."
    assert any_shop.journal(answer.headers["x-request-id"]) == []


@pytest.mark.parametrize("fault", ["error=6", "cut=6", "cut=16"])
@pytest.mark.parametrize("kind", ["output=40", "tool=2 output=40", "show_reasoning reasoning=30 output=40"])
def test_a_stream_that_breaks_is_charged_for_what_came(shop: Shop, fault: str, kind: str) -> None:
    customer = shop.customer()
    answer = shop.call(customer, f"[[input=400 cached=0 {kind} {fault}]]", stream=True)
    record = assert_cut(shop, customer, answer)
    (line,) = shop.journal(answer.headers["x-request-id"])
    assert 0 < record["output_tokens"] <= 40
    most = shop.expected(record, line["true_usage"])
    assert Fraction(record["retail"]) <= most.retail
    assert Fraction(record["cost"]) <= most.cost
    shop.assert_books_are_right()


def test_the_sdk_raises_when_a_stream_breaks(any_shop: Shop, customer: Customer) -> None:
    chunks = any_shop.sdk(customer).chat.completions.create(
        model="gpt-5-mini", messages=[{"role": "user", "content": "[[error=6]]"}], stream=True
    )
    seen = []
    with pytest.raises(openai.APIError) as broken:
        seen += list(chunks)
    assert "openai" not in str(broken.value).lower()
    assert seen == []


def test_a_stream_may_end_without_its_last_word(any_shop: Shop, customer: Customer) -> None:
    report = raw.event(choices=[], usage=raw.usage(40, 2))
    script: list[Step] = [raw.stream_head(), ROLE, raw.delta(content="Hello there"), raw.finish(), report, CLOSE]
    any_shop.rawfeed.will(script)
    answer = any_shop.call(customer, model="raw", stream=True)
    record = record_of(any_shop, customer, answer)
    assert events(answer)[-1] == "[DONE]"
    assert (record["status"], record["usage_source"]) == ("ok", "upstream")
    assert (record["input_tokens"], record["output_tokens"]) == (40, 2)


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_stream_is_whole_only_when_every_choice_is(any_shop: Shop, customer: Customer, end: str) -> None:
    first, second = raw.delta(content="One whole answer."), raw.delta(1, content="And half of another")
    script: list[Step] = [raw.stream_head(), first, second, raw.finish(index=0), 0.05, end]
    any_shop.rawfeed.will(script)
    assert_cut(any_shop, customer, any_shop.call(customer, model="raw", stream=True, n=2))


def test_after_its_last_word_a_stream_is_over(any_shop: Shop, customer: Customer) -> None:
    done: list[Step] = [raw.delta(content="Hello"), raw.finish(), b"data: [DONE]\n\n"]
    any_shop.rawfeed.will([raw.stream_head(), *done, 60.0, raw.delta(content="too late")])
    answer = any_shop.call(customer, model="raw", stream=True)
    assert events(answer)[-1] == "[DONE]"
    assert "too late" not in answer.text
    assert record_of(any_shop, customer, answer)["usage_source"] == "estimated"


def test_a_connection_is_kept_for_the_next_stream(any_shop: Shop, customer: Customer) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    data = raw.delta(content="Hello") + raw.finish() + b"data: [DONE]\n\n"
    script: list[Step] = [head + b"%x\r\n%b\r\n" % (len(data), data), 0.05, b"0\r\n\r\n"]
    any_shop.rawfeed.will(script, script, script)
    for _ in range(3):
        assert events(any_shop.call(customer, model="raw", stream=True))[-1] == "[DONE]"
        time.sleep(0.5)
    assert any_shop.rawfeed.connections == 1


@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_nobody_reports_is_estimated_and_marked(shop: Shop, stream: Stream) -> None:
    customer = shop.customer()
    text = "What is the capital of Iceland, and since when? " * 10
    answer = shop.call(customer, text + "[[no_usage output=60]]", stream=stream, **_usage_wanted(stream))
    record = record_of(shop, customer, answer)
    assert (record["status"], record["usage_source"]) == ("ok", "estimated")
    usage = _usage_in(answer)
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (record["input_tokens"], record["output_tokens"])
    assert 100 <= record["input_tokens"] <= 150
    assert 55 <= record["output_tokens"] <= 70
    assert amounts_of(record) == shop.expected(record, usage)
    shop.assert_books_are_right()


@pytest.mark.parametrize("stream", [False, True])
def test_absurd_usage_is_cut_to_what_is_possible_and_flagged(
    any_shop: Shop, customer: Customer, stream: Stream
) -> None:
    claim = "[[claim_input=999999999 claim_output=999999999]]"
    answer = any_shop.call(customer, claim, model="tiny", stream=stream, max_tokens=50, **_usage_wanted(stream))
    record = record_of(any_shop, customer, answer)
    assert record["usage_capped"] is True
    assert (record["input_tokens"], record["output_tokens"]) == (2000, 50)
    assert _usage_in(answer)["total_tokens"] == 2050
    assert amounts_of(record) == any_shop.expected(record, raw.usage(2000, 50))


@pytest.mark.parametrize(
    ("claim", "counted"),
    [
        ("input=300 cached=0 claim_output=-7", (300, 0, 0)),
        ("claim_input=-1 output=9", (0, 0, 9)),
        ("input=100 claim_cached=500 output=9", (0, 100, 9)),
        ("input=100 claim_cached=-5 output=9", (100, 0, 9)),
    ],
)
def test_figures_that_cannot_be_are_not_believed(
    any_shop: Shop, customer: Customer, claim: str, counted: tuple[int, int, int]
) -> None:
    record = record_of(any_shop, customer, any_shop.call(customer, f"[[{claim}]]"))
    assert record["usage_capped"] is True
    assert (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"]) == counted
    assert Fraction(record["retail"]) > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_blank_answer_is_charged_as_it_is_reported(any_shop: Shop, customer: Customer, stream: Stream) -> None:
    answer = any_shop.call(customer, "[[nothing input=500]]", stream=stream)
    record = record_of(any_shop, customer, answer)
    (line,) = any_shop.journal(answer.headers["x-request-id"])
    assert (record["status"], record["output_tokens"]) == ("ok", 0)
    assert amounts_of(record) == any_shop.expected(record, line["usage"])
    assert Fraction(record["retail"]) > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_blank_answer_without_a_report_is_free(any_shop: Shop, customer: Customer, stream: Stream) -> None:
    answer = any_shop.call(customer, "[[nothing no_usage input=500]]", stream=stream)
    assert answer.status_code == 200
    assert record_of(any_shop, customer, answer)["retail"] == "0.00"


def test_a_plain_answer_that_breaks_off_costs_nothing(any_shop: Shop, customer: Customer) -> None:
    assert_unavailable(any_shop, customer, any_shop.call(customer, "[[cut=200]]"), 2)


def test_operators_find_the_reason_in_the_log(any_shop: Shop, customer: Customer) -> None:
    any_shop.rawfeed.will([raw.stream_head(), raw.event(error={"message": "tokens ran out"}), CLOSE])
    any_shop.call(customer, model="two-ways", stream=True)
    (warning,) = [line for line in any_shop.log().splitlines() if "tokens ran out" in line]
    assert "rawfeed" in warning


def _usage_wanted(stream: Stream) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}} if stream else {}


def _usage_in(answer: httpx.Response) -> dict[str, Any]:
    if "event-stream" in answer.headers["content-type"]:
        streamed: dict[str, Any] = events(answer)[-2]["usage"]
        return streamed
    plain: dict[str, Any] = answer.json()["usage"]
    return plain
