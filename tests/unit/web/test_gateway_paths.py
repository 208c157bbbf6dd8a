"""Paths as clients write them: which dialect they speak, and what Gemini's name."""

from __future__ import annotations

import pytest

from reseller_kit.core.errors import NotFound
from reseller_kit.web.gateway.paths import canonical, dialect_of, gemini_target, is_api, model_named


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1/v1/models", "/v1/models"),
        ("/v1/v1", "/v1"),
        ("/v1beta/models/", "/v1beta/models"),
        ("/v1/v1beta/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("/v1beta/v1beta/models", "/v1beta/models"),
        ("/v1beta/v1/models", "/v1/models"),
        ("/v1/v1/v1beta/models", "/v1beta/models"),
        ("/models/m:generateContent", "/v1/models/m:generateContent"),
        ("/v1betamax/x", "/v1betamax/x"),
        ("/v1//chat/completions", "/v1/chat/completions"),
        ("//v1/messages", "/v1/messages"),
        ("//v1//v1///models//", "/v1/models"),
        ("/v1beta//models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("//", "/"),
    ],
)
def test_a_path_has_one_version(path: str, known: str) -> None:
    assert canonical(path) == known


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v1beta/models", (), "gemini"),
        ("/v1beta/anything", (), "gemini"),
        ("/v1/models/m:generateContent", (), "gemini"),
        ("/v1/models/llama:8b", (), "openai"),
        ("/v1/models/llama:8b", (b"x-goog-api-client",), "gemini"),
        ("/v1/models", (b"x-goog-api-key",), "openai"),
        ("/v1/models", (b"x-goog-api-client",), "gemini"),
        ("/v1/models", (b"x-goog-api-client", b"anthropic-version"), "anthropic"),
        ("/v1/models", (b"authorization",), "openai"),
        ("/v1/chat/completions", (b"x-goog-api-key",), "openai"),
        ("/v1/messages", (b"x-goog-api-key",), "anthropic"),
    ],
)
def test_a_path_speaks_its_dialect(path: str, headers: tuple[bytes, ...], dialect: str) -> None:
    assert dialect_of(path, [(name, b"x") for name in headers]) == dialect


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1beta/models/m:generateContent", ("m", "generateContent")),
        ("/v1/models/a/b:8b:streamGenerateContent", ("a/b:8b", "streamGenerateContent")),
        ("/v1beta/models/models/m:countTokens", ("m", "countTokens")),
        ("/v1beta/models/m:batchEmbedContents", ("m", "batchEmbedContents")),
    ],
)
def test_a_path_names_model_and_verb(path: str, target: tuple[str, str]) -> None:
    assert gemini_target(path) == target


@pytest.mark.parametrize(
    "path", ["/v1beta/models/m", "/v1beta/models/m:predict", "/v1beta/models/:generateContent", "/v1/m:generateContent"]
)
def test_other_paths_name_nothing(path: str) -> None:
    with pytest.raises(NotFound):
        gemini_target(path)


def test_a_bare_path_is_the_api_s_where_a_key_is_sent() -> None:
    path = "/models/m:generateContent"
    assert is_api(path, "storefront", [(b"x-goog-api-key", b"x")])
    assert not is_api(path, "storefront", [])
    assert is_api("/v1beta/models", "storefront", [])


@pytest.mark.parametrize("path", ["//v1/messages", "/v1//chat/completions", "//chat/completions", "//v1beta//models"])
def test_a_slash_too_many_is_still_the_api_s(path: str) -> None:
    assert is_api(path, "storefront", [])
    assert not is_api("//account", "storefront", [])


@pytest.mark.parametrize(
    "path",
    [
        "/completions",
        "/embeddings",
        "/images/generations",
        "/audio/speech",
        "/audio/transcriptions",
        "/moderations",
        "/rerank",
    ],
)
def test_every_call_is_found_without_a_version(path: str) -> None:
    assert is_api(path, "storefront", [])
    assert canonical(path + "/") == "/v1" + path


def test_a_model_may_be_named_as_a_resource() -> None:
    assert (model_named("models/m"), model_named("m"), model_named("a/models/m")) == ("m", "m", "a/models/m")
