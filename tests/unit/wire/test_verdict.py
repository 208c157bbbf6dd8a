"""Whose fault a refusal is: bodies as providers send them, and what a customer can't make one of them mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.verdict import Blame
from reseller_kit.wire.upstream_message import GENERIC, rejection
from reseller_kit.wire.verdict import verdict, verdict_within

NOW = 1_800_000_000.0
GOOGLE = "type.googleapis.com/google.rpc."
_JSON = {b"content-type": b"application/json"}


def error(message: str, **members: Any) -> dict[str, Any]:
    return {"error": {"message": message, **members}}


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CZf4b"}


def google(code: int, status: str, message: str, reason: str | None = None, **info: Any) -> dict[str, Any]:
    details = [] if reason is None else [{"@type": f"{GOOGLE}ErrorInfo", "reason": reason, "domain": "googleapis.com"}]
    details += [info] if info else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


OPENAI = [
    (
        401,
        error("Incorrect API key provided: sk-ab***yz.", type="invalid_request_error", code="invalid_api_key"),
        "key",
    ),
    (401, error("You must be a member of an organization to use the API.", type="invalid_request_error"), "key"),
    (429, error("You exceeded your current quota, …", type="insufficient_quota", code="insufficient_quota"), "key"),
    (429, error("You exceeded your current quota, …", type="insufficient_quota", code=None), "key"),
    (429, error("Your account is not active, …", type="billing_not_active", code="billing_not_active"), "key"),
    (400, error("Billing hard limit has been reached", type="x", code="billing_hard_limit_reached"), "key"),
    (401, error("Your account has been deactivated.", type="invalid_request_error", code="account_deactivated"), "key"),
    (403, error("Country, region, or territory not supported", code="unsupported_country_region_territory"), "key"),
    (403, error("Project `proj_x` does not have access to model `o1`", code="model_not_found"), "endpoint"),
    (
        429,
        error("Rate limit reached for gpt-5 on tokens per min (TPM)", type="tokens", code="rate_limit_exceeded"),
        "cooldown",
    ),
    (503, error("The engine is currently overloaded", type="server_error"), "endpoint"),
    (500, error("The server had an error while processing your request.", type="server_error"), "endpoint"),
    (400, error("Unsupported value: 'temperature' does not support 3.", code="unsupported_value"), "request"),
    (404, error("The model `x` does not exist", type="invalid_request_error", code="model_not_found"), "request"),
    (409, error("Conflict"), "endpoint"),
]
ANTHROPIC = [
    (401, anthropic("authentication_error", "invalid x-api-key"), "key"),
    (402, anthropic("billing_error", "Pay."), "key"),
    (400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), "key"),
    (
        400,
        anthropic("invalid_request_error", "You have reached your specified API usage limits. You will regain"),
        "key",
    ),
    (400, anthropic("invalid_request_error", "This organization has been disabled."), "key"),
    (403, anthropic("permission_error", "Your API key does not have permission to use the resource."), "key"),
    (429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit"), "cooldown"),
    (529, anthropic("overloaded_error", "Overloaded"), "endpoint"),
    (500, anthropic("api_error", "Internal server error"), "endpoint"),
    (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), "request"),
    (413, anthropic("request_too_large", "Request exceeds the maximum size"), "request"),
]
GEMINI = [
    (400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"), "key"),
    (400, google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), "key"),
    (400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), "key"),
    (403, google(403, "PERMISSION_DENIED", "Consumer 'api_key:AIza' has been suspended.", "CONSUMER_SUSPENDED"), "key"),
    (403, google(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."), "key"),
    (403, google(403, "PERMISSION_DENIED", "Generative Language API is disabled.", "SERVICE_DISABLED"), "key"),
    (401, google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), "key"),
    (429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan"), "cooldown"),
    (503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), "endpoint"),
    (400, google(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified"), "request"),
    (400, [google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID")], "key"),
]
OTHERS = [
    # OpenRouter
    (401, error("User not found.", code=401), "key"),
    (402, error("Insufficient credits. Add more using the settings", code=402), "key"),
    (402, error("This request requires more credits, or fewer max_tokens. … but can only afford 0.", code=402), "key"),
    (
        402,
        error("This request requires more credits, or fewer max_tokens. … can only afford 3919.", code=402),
        "cooldown",
    ),
    (403, error("Key limit exceeded (monthly limit).", code=403), "key"),
    (
        403,
        error("Input refused", code=403, metadata={"reasons": ["violence"], "flagged_input": "…"}),
        "request",
    ),
    (429, error("Provider returned error", code=429, metadata={"provider_name": "Chutes", "raw": "…"}), "endpoint"),
    (429, error("Rate limit exceeded: free-models-per-min.", code=429, metadata={"headers": {}}), "cooldown"),
    (502, error("Provider returned error", code=502), "endpoint"),
    # Azure
    (401, error("Access denied due to invalid subscription key or wrong API endpoint.", code="401"), "key"),
    (403, error("Access denied due to Virtual Network/Firewall rules.", code="403"), "key"),
    (429, error("Requests have exceeded the token rate limit of your current tier.", code="429"), "cooldown"),
    (400, error("The response was filtered due to the prompt triggering a policy.", code="content_filter"), "request"),
    (404, error("The API deployment for this resource does not exist.", code="DeploymentNotFound"), "request"),
    # xAI, DeepSeek, Mistral, Groq and routers built on others
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***. …"}, "key"),
    (403, {"code": "permission-denied", "error": "Your team 16f2 has either used all available credits"}, "key"),
    (429, {"code": "x", "error": "Your team 16f2151a has either used all available credits or reached its"}, "key"),
    (403, {"code": "x", "error": "Content violates usage guidelines."}, "request"),
    (402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "key"),
    (403, error("user quota is not enough", type="new_api_error", code="insufficient_user_quota"), "key"),
    (401, {"message": "Unauthorized", "request_id": "x"}, "key"),
    (401, {"detail": "Unauthorized"}, "key"),
    (403, {"detail": "Forbidden"}, "key"),
    (429, {"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited"}, "cooldown"),
]


@pytest.mark.parametrize(("status", "body", "blame"), [*OPENAI, *ANTHROPIC, *GEMINI, *OTHERS])
def test_bodies_of_providers(status: int, body: Any, blame: Blame) -> None:
    found = verdict(status, _JSON, json.dumps(body).encode(), NOW)
    assert found.blame == blame
    assert found.reason.startswith(str(status))


@pytest.mark.parametrize(
    ("status", "blame"),
    [
        *((status, "endpoint") for status in (301, 405, 406, 408, 409, 410, 411, 418, 425, 500, 502, 503, 529, 599)),
        *((status, "request") for status in (400, 404, 413, 415, 422, 451)),
        *((status, "key") for status in (401, 402, 403)),
        (429, "cooldown"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"null", b"7", b"[]", b"[" * 70_000, b"\xff", b'{"error":7}', b'{"error":{}}'])
def test_a_status_alone_says_enough(status: int, blame: Blame, body: bytes) -> None:
    assert verdict(status, {}, body, NOW).blame == blame


def test_a_wall_in_front_of_the_provider_is_not_the_key_s_fault() -> None:
    page = b"<!DOCTYPE html><title>Attention Required! | Cloudflare</title>"
    assert verdict(403, {b"content-type": b"text/html; charset=UTF-8"}, page, NOW).blame == "endpoint"
    assert verdict(401, {b"content-type": b"text/html"}, page, NOW).blame == "key"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
@pytest.mark.parametrize(
    "word",
    [
        "insufficient_quota",
        "Your credit balance is too low to access the Anthropic API.",
        "API key not valid. Please pass a valid API key.",
        "API_KEY_INVALID",
        "billing_hard_limit_reached",
        "You exceeded your current quota, please check your plan",
    ],
)
def test_a_customer_can_t_make_a_provider_blame_the_key(status: int, word: str) -> None:
    """Providers repeat what was sent: a value that is not allowed, a name that is not known, a whole input."""
    for body in (
        error(f"Invalid value: '{word}'. Supported values are: 'low' and 'high'.", param=word, code="invalid_value"),
        error(f"'{word}' is not one of ['low', 'high'] - 'reasoning_effort'", param="reasoning_effort"),
        anthropic("invalid_request_error", f"messages.0.role: Input should be 'user': {word}"),
        google(
            400, "INVALID_ARGUMENT", f'Invalid value at "contents[0].role": "{word}"', fieldViolations=[{"field": word}]
        ),
    ):
        assert verdict(status, _JSON, json.dumps(body).encode(), NOW).blame == "request"


@pytest.mark.parametrize(
    ("body", "blame"),
    [
        (error("Insufficient credits", code=402), "key"),
        (error("Rate limited", code=429), "cooldown"),
        (error("Provider returned error", code=502), "endpoint"),
        (error("bad input", code=400), "request"),
        (anthropic("overloaded_error", "Overloaded"), "endpoint"),
        (anthropic("rate_limit_error", "x"), "cooldown"),
        (anthropic("authentication_error", "x"), "key"),
        (error("boom", type="server_error"), "endpoint"),
        (error("You exceeded …", type="insufficient_quota", code="insufficient_quota"), "key"),
        ({"message": "boom"}, "endpoint"),
        ("boom", "endpoint"),
    ],
)
def test_an_error_inside_a_good_answer(body: Any, blame: Blame) -> None:
    assert verdict_within(json.dumps(body).encode()).blame == blame
    assert verdict_within(json.dumps(body).encode()).retry_after is None


def test_a_request_that_was_flagged_is_told_without_the_provider() -> None:
    body = json.dumps(error("OpenRouter: flagged", code=403, metadata={"flagged_input": "x"})).encode()
    refusal = rejection(403, body, upstream_model="u", public_model="p")
    assert (refusal.http_status, refusal.message) == (400, GENERIC)


@given(
    st.integers(300, 599),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "code", "type", "status", "details", "metadata", "headers", "reason"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda found: json.dumps(found).encode()),
)
def test_any_body_gets_a_verdict(status: int, body: bytes) -> None:
    found = verdict(status, {b"retry-after": body[:50], b"x-ratelimit-reset": body[:20]}, body, NOW)
    assert found.blame in {"key", "cooldown", "endpoint", "request"}
    assert found.retry_after is None or 0 <= found.retry_after <= 31 * 86_400
    assert verdict_within(body).blame in {"key", "cooldown", "endpoint", "request"}
