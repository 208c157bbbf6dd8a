"""Which requests are the API's, however their base URL was typed."""

from __future__ import annotations

import pytest

from reseller_kit.web.gateway.paths import canonical, is_api

KEY = [(b"authorization", b"Bearer sk_1")]


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/v1/messages/", "/v1/messages"),
        ("/v1//messages", "/v1/messages"),
        ("//v1/messages", "/v1/messages"),
        ("//messages//count_tokens//", "/v1/messages/count_tokens"),
        ("/v1//v1/responses", "/v1/responses"),
        ("/v1/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("/v1beta/v1/embeddings", "/v1/embeddings"),
        ("/models/m:generateContent", "/v1/models/m:generateContent"),
        ("/embeddings", "/v1/embeddings"),
        ("/images/generations/", "/v1/images/generations"),
        ("/audio/speech", "/v1/audio/speech"),
        ("/audio/transcriptions", "/v1/audio/transcriptions"),
        ("/moderations", "/v1/moderations"),
        ("/rerank", "/v1/rerank"),
    ],
)
def test_a_base_url_may_be_typed_in_many_ways(typed: str, path: str) -> None:
    assert canonical(typed) == path
    assert is_api(typed, "storefront", KEY)
    assert is_api(path, "storefront", KEY)


@pytest.mark.parametrize(
    "path", ["/", "//", "/account/keys", "/embeddings-explained", "/images/logo.svg", "/audio", "/reranking", "/v2/x"]
)
def test_pages_stay_pages(path: str) -> None:
    assert not is_api(path, "storefront", KEY)
    assert is_api(path, "api", [])


def test_models_are_a_page_but_for_who_brings_a_key_or_is_about_to() -> None:
    assert not is_api("/models", "storefront", [])
    assert is_api("/models", "storefront", KEY)
    assert is_api("//models/m", "storefront", KEY)
    assert is_api("/models", "storefront", [(b"access-control-request-method", b"GET")])
