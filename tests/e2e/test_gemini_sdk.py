"""What Google's own SDK makes of a storefront's answers and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from google import genai
from google.genai import errors, types

from tests.support.product import Customer, Shop, open_shop

pytestmark = pytest.mark.thorough  # the SDK alone takes seconds to load

_TEMPLATE: Final = Path(__file__).parents[1] / "support" / "dialects.toml"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gemini"), template=_TEMPLATE) as running:
        yield running


@pytest.fixture(scope="module")
def customer(shop: Shop) -> Customer:
    return shop.customer(credit="50.00")


def sdk(customer: Customer, *, key: str | None = None, version: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=customer.origin, api_version=version, headers={"host": customer.host})
    return genai.Client(api_key=key or customer.key, http_options=options)


@pytest.mark.parametrize("model", ["via-gemini", "via-messages"])
def test_google_s_sdk_speaks_to_a_storefront(shop: Shop, customer: Customer, model: str) -> None:
    for version in (None, "v1"):
        client = sdk(customer, version=version)
        answer = client.models.generate_content(model=model, contents='[[text="Good morning"]]')
        assert answer.text == "Good morning"
        assert answer.model_version == model
        chunks = list(client.models.generate_content_stream(model=model, contents='[[text="Good morning"]]'))
        assert "".join(chunk.text or "" for chunk in chunks) == "Good morning"
        assert chunks[-1].usage_metadata is not None
        assert client.models.count_tokens(model=model, contents="Hi").total_tokens
        assert f"models/{model}" in [found.name for found in client.models.list()]
        assert client.models.get(model=model).output_token_limit == 64_000
        client.close()


def test_google_s_sdk_takes_a_thought_and_brings_it_back(shop: Shop, customer: Customer) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    declared: Any = [{"function_declarations": [{"name": "weather", "description": "d", "parameters": schema}]}]
    config = types.GenerateContentConfig(
        tools=declared,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2_000),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        max_output_tokens=4_000,
    )
    with_tool = """[[tool arguments='{"city":"Ulm"}' reasoning=5]]"""
    for model in ("via-gemini", "via-messages", "via-responses", "via-chat"):
        client = sdk(customer)
        first = client.models.generate_content(model=model, contents=with_tool, config=config)
        assert first.function_calls, model
        assert first.function_calls[0].args == {"city": "Ulm"}
        assert first.candidates
        content = first.candidates[0].content
        assert content is not None
        result = types.Part.from_function_response(name="weather", response={"output": "rain"})
        history = [types.UserContent(with_tool), content, types.UserContent(result)]
        second = client.models.generate_content(model=model, contents=history, config=config)
        assert second.candidates, model
        client.close()


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ('[[status=400 message="bad"]]', 400, "INVALID_ARGUMENT"),
        ("[[status=503]]", 503, "UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("model", ["via-gemini", "via-chat"])
def test_google_s_sdk_reads_an_upstream_s_refusal(
    shop: Shop, customer: Customer, model: str, text: str, code: int, status: str
) -> None:
    assert_refused(sdk(customer), model, text, code, status)


def test_google_s_sdk_reads_our_refusals(shop: Shop, customer: Customer) -> None:
    assert_refused(sdk(customer, key="sk_wrong"), "via-gemini", "Hi", 401, "UNAUTHENTICATED")
    assert_refused(sdk(customer), "nothing", "Hi", 404, "NOT_FOUND")
    poor = shop.customer(credit=None)
    message = assert_refused(sdk(poor), "via-gemini", "Hi", 402, "FAILED_PRECONDITION")
    assert message.endswith(".")
    hasty = shop.customer(credit="5.00", rpm="1")
    client = sdk(hasty)
    client.models.generate_content(model="via-gemini", contents="Hi")
    assert_refused(client, "via-gemini", "Hi", 429, "RESOURCE_EXHAUSTED")


def assert_refused(client: genai.Client, model: str, text: str, code: int, status: str) -> str:
    """Plain and streamed, the SDK finds code, status and message; returns the message."""
    with pytest.raises(errors.APIError) as plain:
        client.models.generate_content(model=model, contents=text)
    with pytest.raises(errors.APIError) as streamed:
        list(client.models.generate_content_stream(model=model, contents=text))
    client.close()
    for found in (plain.value, streamed.value):
        assert (found.code, found.status) == (code, status)
        assert found.message
    return str(plain.value.message)
