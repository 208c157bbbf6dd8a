"""Every error of the tree in both dialects, against the published table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core import errors as tree
from reseller_kit.wire.errors import Dialect, ErrorResponse, error_response, stream_error


def respond(error: tree.KitError, dialect: Dialect = "openai", *, user_agent: str = "") -> ErrorResponse:
    return error_response(error, dialect, user_agent=user_agent, request_id="req_1")


_TABLE: list[tuple[tree.KitError, int, str, str, str, bool]] = [
    (tree.Unauthenticated("m"), 401, "invalid_api_key", "authentication_error", "authentication_error", False),
    (tree.AccountSuspended("m"), 403, "account_suspended", "permission_error", "permission_error", False),
    (tree.ModelNotFound("m"), 404, "model_not_found", "invalid_request_error", "not_found_error", False),
    (tree.NotFound("m"), 404, "not_found", "invalid_request_error", "not_found_error", False),
    (tree.InvalidRequest("m"), 400, "invalid_request", "invalid_request_error", "invalid_request_error", True),
    (tree.RequestTooLarge("m"), 413, "request_too_large", "invalid_request_error", "request_too_large", True),
    (tree.InsufficientCredit("m"), 402, "insufficient_quota", "insufficient_quota", "billing_error", False),
    (
        tree.RateLimited("m", retry_after_seconds=7),
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_error",
        True,
    ),
    (tree.ServiceUnavailable("m"), 503, "service_unavailable", "api_error", "overloaded_error", False),
    (
        tree.Overloaded("m", retry_after_seconds=2),
        503,
        "service_unavailable",
        "api_error",
        "overloaded_error",
        True,
    ),
    (tree.UpstreamFailed("secret"), 503, "service_unavailable", "api_error", "overloaded_error", False),
    (tree.LedgerFault("m"), 500, "ledger_fault", "api_error", "api_error", False),
    (tree.KitError("m"), 500, "error", "api_error", "api_error", False),
    (tree.UnknownHost("m"), 421, "unknown_host", "invalid_request_error", "invalid_request_error", True),
    (
        tree.MethodNotAllowed("m", allow="POST"),
        405,
        "method_not_allowed",
        "invalid_request_error",
        "invalid_request_error",
        True,
    ),
]


@pytest.mark.parametrize(("error", "status", "code", "kind", "anthropic", "may_retry"), _TABLE)
def test_the_table(
    error: tree.KitError,
    status: int,
    code: str,
    kind: str,
    anthropic: str,
    may_retry: bool,  # noqa: FBT001
) -> None:
    answer = respond(error)
    assert answer.status == status
    body = json.loads(answer.body)
    assert body == {"error": {"message": error.message, "type": kind, "param": None, "code": code}}
    assert ((b"x-should-retry", b"false") in answer.headers) == (not may_retry)
    assert (b"content-type", b"application/json") in answer.headers
    assert (b"x-request-id", b"req_1") in answer.headers
    other = respond(error, "anthropic")
    assert other.status == status
    assert json.loads(other.body) == {
        "type": "error",
        "error": {"type": anthropic, "message": error.message},
        "request_id": "req_1",
    }
    assert b"secret" not in answer.body + other.body


def test_details_that_a_client_needs_are_there() -> None:
    for busy in (tree.RateLimited("m", retry_after_seconds=7), tree.Overloaded("m", retry_after_seconds=7)):
        assert dict(respond(busy).headers)[b"retry-after"] == b"7"
    assert dict(respond(tree.MethodNotAllowed("m", allow="GET, HEAD")).headers)[b"allow"] == b"GET, HEAD"
    invalid = json.loads(respond(tree.InvalidRequest("Too many.", param="n", fix="Ask for fewer.")).body)
    assert invalid["error"]["param"] == "n"
    assert invalid["error"]["message"] == "Too many. Ask for fewer."


@pytest.mark.parametrize("user_agent", ["openai-python", "codex_exec/0.169.0", "claude-cli/2.1.332"])
def test_a_restart_is_told_so_that_every_client_comes_again(user_agent: str) -> None:
    for dialect in ("openai", "anthropic"):
        answer = error_response(tree.Restarting(), dialect, user_agent=user_agent)
        assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"1")
        assert b"x-should-retry" not in dict(answer.headers)
        assert b"server_is_overloaded" not in answer.body


@pytest.mark.parametrize("error", [tree.ServiceUnavailable("m"), tree.UpstreamFailed("m")])
def test_an_overload_is_told_to_codex_in_the_one_word_that_stops_it(error: tree.KitError) -> None:
    answer = respond(error, user_agent="codex_exec/0.169.0 (Debian)")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "server_is_overloaded")
    assert json.loads(respond(error, user_agent="openai-python").body)["error"]["code"] == "service_unavailable"


@pytest.mark.parametrize(("user_agent", "status"), [("claude-cli/2.1.332 (external, cli)", 529), ("Bun/1.4", 503)])
def test_an_overload_is_told_to_claude_code_in_the_status_that_stops_it(user_agent: str, status: int) -> None:
    answer = respond(tree.ServiceUnavailable("m"), "anthropic", user_agent=user_agent)
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (status, "overloaded_error")
    assert (b"x-should-retry", b"false") in answer.headers


@pytest.mark.parametrize(
    ("user_agent", "status"), [("codex_cli_rs/0.50", 429), ("Codex/1", 429), ("", 402), ("my-codex", 402)]
)
def test_missing_credit_is_told_to_codex_in_its_own_way(user_agent: str, status: int) -> None:
    answer = respond(tree.InsufficientCredit("m"), user_agent=user_agent)
    assert answer.status == status
    assert json.loads(answer.body)["error"]["code"] == "insufficient_quota"
    assert (b"x-should-retry", b"false") in answer.headers
    assert b"retry-after" not in dict(answer.headers)


def test_missing_credit_is_told_in_geminis_api_as_no_limit_that_passes_by() -> None:
    answer = respond(tree.InsufficientCredit("m"), "gemini")
    assert (answer.status, json.loads(answer.body)["error"]["status"]) == (402, "FAILED_PRECONDITION")
    limit = respond(tree.RateLimited("m", retry_after_seconds=1), "gemini")
    assert (limit.status, json.loads(limit.body)["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(
    ("status", "details", "code", "param", "anthropic"),
    [
        (400, [], "invalid_request", None, "invalid_request_error"),
        (422, [], "invalid_request", None, "invalid_request_error"),
        (404, [], "invalid_request", None, "not_found_error"),
        (413, [{"code": "request_too_large", "param": None}], "request_too_large", None, "request_too_large"),
        (
            400,
            [{"code": "context_length_exceeded", "param": "messages"}],
            "context_length_exceeded",
            "messages",
            "invalid_request_error",
        ),
    ],
)
def test_a_refusal_of_an_upstream_keeps_its_status(
    status: int, details: list[dict[str, Any]], code: str, param: str | None, anthropic: str
) -> None:
    error = tree.UpstreamRejected("Too long.", http_status=status)
    error.details = details
    answer = respond(error)
    assert answer.status == status
    document = json.loads(answer.body)["error"]
    assert (document["code"], document["param"], document["message"]) == (code, param, "Too long.")
    assert json.loads(respond(error, "anthropic").body)["error"]["type"] == anthropic


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("prompt is too long: 210 tokens > 200 maximum", "prompt is too long: 210 tokens > 200 maximum"),
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens.",
            "prompt is too long: 140000 tokens > 128000 maximum",
        ),
        ("The context length of 8192 tokens is exceeded.", None),
        ("input length and `max_tokens` exceed context limit: 9 + 9 > 9", None),
    ],
)
def test_a_prompt_that_is_too_long_is_told_to_anthropics_clients_in_their_words(
    message: str, shown: str | None
) -> None:
    error = tree.UpstreamRejected(message, http_status=400)
    error.details = [{"code": "context_length_exceeded", "param": None}]
    told = json.loads(respond(error, "anthropic").body)["error"]["message"]
    known = message if message.startswith("input length") else f"prompt is too long: {message}"
    assert told == (shown or known)
    assert json.loads(respond(error).body)["error"]["message"] == message
    error.details = []
    assert json.loads(respond(error, "anthropic").body)["error"]["message"] == message


def test_an_error_within_a_stream_is_one_event_of_the_dialect() -> None:
    error = tree.ServiceUnavailable("Gone.")
    name, _, data = stream_error(error, "openai").partition(b": ")
    assert name == b"data"
    assert json.loads(data)["error"]["code"] == "service_unavailable"
    event, _, rest = stream_error(error, "anthropic", request_id="req_1").partition(b"\n")
    assert event == b"event: error"
    assert json.loads(rest.removeprefix(b"data: "))["error"]["type"] == "overloaded_error"


def test_every_type_of_the_tree_has_an_answer() -> None:
    untabled = set(_subtypes(tree.KitError)) - {type(error) for error, *_ in _TABLE}
    for error_type in untabled - {tree.UpstreamRejected, tree.InvalidForm}:
        answer = respond(error_type("m"))
        assert answer.status == error_type.status
        assert json.loads(answer.body)["error"]["code"] == error_type.code


def test_any_text_can_be_told() -> None:
    document = json.loads(respond(tree.InvalidRequest('Half a pair \ud83d, "quotes" \n', param="漢\udc00")).body)
    assert document["error"]["message"] == 'Half a pair ?, "quotes"'
    assert document["error"]["param"] == "漢?"


def _subtypes(error_type: type[tree.KitError]) -> list[type[tree.KitError]]:
    """Those of the tree itself; packages above it have subtypes of their own, which other tests may have loaded."""
    children = [child for child in error_type.__subclasses__() if child.__module__ == tree.__name__]
    return [error_type, *(found for child in children for found in _subtypes(child))]
