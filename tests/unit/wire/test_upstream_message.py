"""Refusals of an upstream: what they mean survives, who said it does not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from reseller_kit.core.errors import UpstreamRejected
from reseller_kit.wire.upstream_message import GENERIC, clean_upstream_message, failed, rejection

_OVER_CONTEXT = (
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or "
    "`max_tokens` and try again"
)

SENT = b'{"model":"gpt-5-mini","messages":[{"role":"tool","content":[]}],"temperature":3}'


def clean(text: str, *hide: str) -> str:
    return clean_upstream_message(text, upstream_model="openai/gpt-5-mini", public_model="aurora-fast", hide=hide)


def reject(error: Any, status: int = 400) -> UpstreamRejected:
    body = json.dumps({"error": error}).encode()
    return rejection(status, body, upstream_model="gpt-5-mini", public_model="aurora-fast", hide=["backup"], sent=SENT)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Invalid value for 'temperature': must be at most 2.", "Invalid value for 'temperature': must be at most 2."),
        ("The model openai/gpt-5-mini does not support tools.", "The model aurora-fast does not support tools."),
        ("The model 'GPT-5-mini' does not exist.", "The model 'aurora-fast' does not exist."),
        (
            "Unsupported parameter: 'max_tokens'. See https://platform.openai.com/docs for more.",
            "Unsupported parameter: 'max_tokens'.",
        ),
        ("messages.0.content is required.", "messages.0.content is required."),
        ("'tools' and 'functions' can't be used together.", "'tools' and 'functions' can't be used together."),
        ("Bad 'n'. Request ID: 7f3a. Try n = 1.", "Bad 'n'. Try n = 1."),
    ],
)
def test_a_harmless_message_is_kept_and_the_rest_dropped(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "Bad request",
        "{'error': 'x'}",
        "<html><body>502</body></html>",
        "OpenAI refused this request.",
        "Rejected by api.upstream.example for this reason.",
        "Your organization org-AbCdEfGhIjKlMnOp must be verified.",
        "Failed at 10.0.0.7 on port 80.",
        "Problem with request req_011CSabcdef01234.",
        "Write to help@provider.test please.",
        "You exceeded your quota, check your billing page.",
        "Azure's content filter was triggered.",
        "Trace 3f2504e0-4f89-11d3-9a0c-0305e82c3301 failed.",
        "litellm.BadRequestError: something went wrong",
        "Refused by Backup for good.",
        "word " * 300,
    ],
)
def test_what_tells_of_the_upstream_becomes_the_general_sentence(text: str) -> None:
    if text == "Bad request":
        assert clean(text, "backup") == text
    else:
        assert clean(text, "backup") == GENERIC


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (
            {
                "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in "
                "140000 tokens. Please reduce the length of the messages.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            },
            "maximum context length is 128000 tokens",
        ),
        (
            {"message": "OpenAI says: maximum context length is 8192 tokens", "code": None},
            "context length of 8192 tokens",
        ),
        ({"message": "prompt is too long: 210000 tokens > 200000 maximum"}, "prompt is too long"),
        ({"message": "", "code": "context_length_exceeded"}, "maximum context length"),
        (
            {"message": "The input token count (1050000) exceeds the maximum number of tokens allowed (1048575)."},
            "exceeds the maximum number of tokens",
        ),
    ],
)
def test_that_a_request_is_too_long_survives(error: dict[str, Any], kept: str) -> None:
    refusal = reject(error)
    assert kept in refusal.message
    assert "OpenAI" not in refusal.message
    assert refusal.details[0]["code"] == "context_length_exceeded"
    assert refusal.http_status == 400


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long: 210000 tokens > 200000 maximum"),
        (
            "Anthropic says: prompt is too long: 210000 tokens > 200000 maximum. Request ID: req_011CSabcdef01234",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        (_OVER_CONTEXT, _OVER_CONTEXT),
    ],
)
def test_sentences_that_clients_take_apart_pass_word_for_word(text: str, kept: str) -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": text}, "request_id": "req_011CSab"}
    refusal = rejection(400, json.dumps(body).encode(), upstream_model="claude-x", public_model="aurora-fast")
    assert refusal.message == kept
    assert refusal.details[0]["code"] == "context_length_exceeded"


def test_codes_and_parameters_that_clients_act_on_are_kept() -> None:
    refusal = reject({"message": "Unsupported value.", "code": "unsupported_value", "param": "messages[0].role"})
    assert refusal.details == [{"code": "unsupported_value", "param": "messages[0].role"}]
    odd = reject({"message": "Refused for a reason.", "code": "openai_internal", "param": "http://x"})
    assert odd.details == []


@pytest.mark.parametrize("param", ["canary", "messages[0].canary", "canary.role", "gpt_5"])
def test_a_parameter_that_the_request_does_not_have_may_say_who_refused_it(param: str) -> None:
    assert reject({"message": "Refused for a reason.", "param": param}).details == []
    kept = reject({"message": "Unsupported value.", "code": "unsupported_value", "param": param})
    assert kept.details == [{"code": "unsupported_value", "param": None}]


@pytest.mark.parametrize(("status", "kept"), [(400, 400), (404, 404), (413, 413), (422, 422), (403, 400), (500, 400)])
def test_the_status_is_kept_where_it_is_the_callers(status: int, kept: int) -> None:
    assert reject({"message": "No such thing here."}, status).http_status == kept


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b'{"error":7}',
        b'{"error":{"message":7}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_body_without_a_message_gives_the_general_sentence(body: bytes) -> None:
    refusal = rejection(400, body, upstream_model="u", public_model="p")
    assert refusal.message == GENERIC
    assert refusal.details == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"Bad value for n."}',
        b'{"message":"Bad value for n."}',
        b'{"detail":"Bad value for n."}',
        b'[{"error":{"message":"Bad value for n.","code":400}}]',
        b'{"error":{"message":"Bad value\\u0000 for\\u200b n.","code":"invalid_value"}}',
    ],
)
def test_messages_are_found_in_the_shapes_that_upstreams_use(body: bytes) -> None:
    message = rejection(400, body, upstream_model="u", public_model="p").message
    assert message.replace("  ", " ") == "Bad value for n."


@given(
    st.text(max_size=60),
    st.sampled_from(["https://api.backup.example/v1", "org-abcdef123456", "OpenRouter", "req_0123456789", "Backup"]),
    st.text(max_size=60),
)
def test_no_trace_survives_in_any_surroundings(before: str, trace: str, after: str) -> None:
    message = clean(f"{before} {trace} {after}", "backup")
    assert trace.casefold() not in message.casefold()


@pytest.mark.parametrize(
    "unit", ["a.", "a-", "a@", "context length is ", "org-", "gen_", "https", "1.", "input length "]
)
def test_hostile_messages_take_no_time(unit: str) -> None:
    started = time.perf_counter()
    reject({"message": unit * (100_000 // len(unit))})
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            b'{"message":"up-model of Someone has a maximum context length of 8192 tokens.","code":400}',
            (
                "This model's maximum context length of 8192 tokens is exceeded."
                " Shorten the messages or lower the output limit."
            ),
        ),
        (
            b'{"code":"context_length_exceeded","message":"Someone says no"}',
            "This model's maximum context length is exceeded. Shorten the messages or lower the output limit.",
        ),
        (
            b'{"type":"invalid_request_error","message":"Someone: prompt is too long: 9 tokens > 8 maximum"}',
            "prompt is too long: 9 tokens > 8 maximum",
        ),
    ],
)
def test_a_refusal_within_a_good_answer_is_told_in_words_of_our_own(error: bytes, message: str) -> None:
    found = failed(Raw(error), "an error event").rejection
    assert found is not None
    assert (found.message, found.http_status) == (message, 400)
    assert found.details[0]["code"] == "context_length_exceeded"


def test_a_prompt_against_the_rules_is_refused_within_a_good_answer() -> None:
    found = failed(Raw(b'{"code":"invalid_prompt","message":"Someone flagged it"}'), "a failed response")
    assert found.rejection is not None
    assert (found.rejection.message, found.rejection.details[0]["code"]) == (GENERIC, "invalid_prompt")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (b'{"code":"server_error","message":"oops"}', "server_error oops"),
        (b'{"code":"insufficient_quota","message":"pay"}', "insufficient_quota pay"),
        (b"null", "an error event"),
        (b"[]", "[]"),
    ],
)
def test_any_other_error_within_a_good_answer_is_a_failure(error: bytes, reason: str) -> None:
    found = failed(Raw(error), "an error event")
    assert (found.rejection, found.reason, found.upstream_status) == (None, reason, 200)
