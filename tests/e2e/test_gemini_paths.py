"""Gemini's paths as its clients write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.e2e.test_dialects import assert_charged_by_the_journal, gemini
from tests.support.product import Customer, Shop, open_shop

_TEMPLATE: Final = Path(__file__).parents[1] / "support" / "dialects.toml"
_BODY: Final = gemini('[[text="Good morning"]]')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gemini"), template=_TEMPLATE) as running:
        yield running


@pytest.fixture(scope="module")
def customer(shop: Shop) -> Customer:
    return shop.customer(credit="50.00")


def post(shop: Shop, customer: Customer, path: str, body: Any = _BODY, **headers: str) -> httpx.Response:
    given = {"x-goog-api-key": customer.key, "host": customer.host, **headers}
    return shop.http.post(f"{customer.origin}{path}", json=body, headers=given)


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/{}:generateContent",
        "/v1/models/{}:generateContent",
        "/models/{}:generateContent",
        "/v1/v1beta/models/{}:generateContent",
        "/v1beta/v1beta/models/{}:generateContent/",
        "/v1beta/models/models%2F{}:generateContent",
        "/v1beta/models/models/{}:generateContent",
    ],
)
def test_every_spelling_of_a_path_answers(shop: Shop, customer: Customer, path: str) -> None:
    answer = post(shop, customer, path.format("via-gemini"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["modelVersion"] == "via-gemini"


@pytest.mark.parametrize("model", ["via-gemini", "via-chat"])
def test_a_stream_without_events_is_an_array(shop: Shop, customer: Customer, model: str) -> None:
    answer = post(shop, customer, f"/v1beta/models/{model}:streamGenerateContent")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    found = json.loads(answer.text)
    parts = [part for one in found for part in one["candidates"][0].get("content", {}).get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == "Good morning"
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert_charged_by_the_journal(shop, customer, answer.headers["x-request-id"])
    cut = post(shop, customer, f"/v1beta/models/{model}:streamGenerateContent", gemini("[[output=40 cut=9]]"))
    assert "error" in json.loads(cut.text)[-1]


@pytest.mark.parametrize("model", ["via-gemini", "via-chat"])
def test_counting_is_free_and_the_upstream_s_own_where_it_can(shop: Shop, model: str) -> None:
    counting = shop.customer(credit="1.00")
    contents = [{"parts": [{"text": "How many tokens may this be?"}]}]
    for body in (
        {"contents": contents},
        {"generateContentRequest": {"model": f"models/{model}", "contents": contents}},
    ):
        answer = post(shop, counting, f"/v1beta/models/{model}:countTokens", body)
        assert answer.status_code == 200, answer.text
        assert 5 < answer.json()["totalTokens"] < 50
        asked = [line["path"] for line in shop.journal(answer.headers["x-request-id"])]
        assert asked == (["/v1beta/models/vendor-gemini:countTokens"] if model == "via-gemini" else [])
    assert shop.records(counting) == []


@pytest.mark.parametrize("model", ["embedder", "gem-embedder"])
@pytest.mark.parametrize("many", [False, True])
def test_texts_are_embedded(shop: Shop, customer: Customer, model: str, many: bool) -> None:  # noqa: FBT001 - parametrized
    one = {"content": {"parts": [{"text": "two words"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8}
    verb, body = ("batchEmbedContents", {"requests": [one, one]}) if many else ("embedContent", one)
    answer = post(shop, customer, f"/v1beta/models/{model}:{verb}", body)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    vectors = document["embeddings"] if many else [document["embedding"]]
    assert [len(vector["values"]) for vector in vectors] == [8] * (2 if many else 1)
    record = assert_charged_by_the_journal(shop, customer, answer.headers["x-request-id"])
    assert document["usageMetadata"]["promptTokenCount"] == record["input_tokens"]


def test_models_are_listed_in_google_s_shape(shop: Shop, customer: Customer) -> None:
    plain = {"x-goog-api-key": customer.key, "host": customer.host}
    assert shop.http.get(f"{customer.origin}/v1/models", headers=plain).json()["object"] == "list"
    headers = {**plain, "x-goog-api-client": "google-genai-sdk/3.6.1"}
    for path in ("/v1beta/models", "/v1/models", "/models"):
        found = shop.http.get(f"{customer.origin}{path}", headers=headers).json()["models"]
        assert "models/via-gemini" in [model["name"] for model in found]
    for path in ("/v1beta/models/via-gemini", "/v1/models/via-gemini", "/v1beta/models/models/via-gemini"):
        model = shop.http.get(f"{customer.origin}{path}", headers=headers).json()
        assert (model["name"], model["outputTokenLimit"]) == ("models/via-gemini", 64_000)
    missing = shop.http.get(f"{customer.origin}/v1beta/models/nothing", headers=headers)
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_a_key_in_the_url_is_refused_with_a_sentence(shop: Shop, customer: Customer) -> None:
    url = f"{customer.origin}/v1beta/models/via-gemini:generateContent?key={customer.key}"
    answer = shop.http.post(url, json=_BODY, headers={"host": customer.host})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert "Do not send the API key in the URL" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1beta/models/via-gemini:predict", "/v1beta/files"])
def test_other_paths_are_not_there(shop: Shop, customer: Customer, path: str) -> None:
    answer = post(shop, customer, path)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("POST", "via-gemini", "GET"), ("GET", "via-gemini:generateContent", "POST")]
)
def test_a_model_is_read_and_a_verb_posted(shop: Shop, customer: Customer, method: str, path: str, allow: str) -> None:
    answer = shop.http.request(method, f"{customer.origin}/v1beta/models/{path}", headers=customer.headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
