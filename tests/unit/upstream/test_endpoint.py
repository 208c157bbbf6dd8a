"""Addresses, headers and request heads of upstreams."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.deadlines import Deadlines
from reseller_kit.core.errors import InvalidRequest
from reseller_kit.upstream.endpoint import Queueing, endpoint, request_head


@pytest.mark.parametrize(
    ("base_url", "expected", "authority"),
    [
        ("https://api.openai.com/v1", ("https", "api.openai.com", 443, "/v1"), "api.openai.com"),
        ("https://API.OpenAI.com./v1/", ("https", "api.openai.com", 443, "/v1"), "api.openai.com"),
        ("http://127.0.0.1:9000", ("http", "127.0.0.1", 9000, ""), "127.0.0.1:9000"),
        ("http://[::1]:9000/a/b", ("http", "::1", 9000, "/a/b"), "[::1]:9000"),
        ("http://model_server:80/v1", ("http", "model_server", 80, "/v1"), "model_server"),
        ("https://gateway.example:443", ("https", "gateway.example", 443, ""), "gateway.example"),
    ],
)
def test_base_urls(base_url: str, expected: tuple[str, str, int, str], authority: str) -> None:
    made = endpoint("up", base_url)
    assert (made.scheme, made.host, made.port, made.prefix) == expected
    assert made.authority == authority


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/v1",
        "https://",
        "https:///v1",
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#part",
        "https://host:0/v1",
        "https://host:99999/v1",
        "https://host:x/v1",
        "https://ho st/v1",
        "https://host/v 1",
        "https://host/v1\r\nx: y",
        "https://hôst/v1",
        "https://[::1/v1",
    ],
)
def test_base_urls_that_are_refused(base_url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        endpoint("up", base_url)
    assert caught.value.param == "base_url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"deadlines": Deadlines(connect=0)}, "timeouts"),
        ({"deadlines": Deadlines(idle=4000)}, "timeouts"),
        ({"deadlines": Deadlines(first_byte=float("nan"))}, "timeouts"),
        ({"deadlines": Deadlines(total=-1)}, "timeouts"),
        ({"queue": Queueing(length=0)}, "queue"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"headers": [("bad name", "x")]}, "headers"),
        ({"headers": [("", "x")]}, "headers"),
        ({"headers": [("x-a", "secret\r\nx: y")]}, "headers"),
        ({"headers": [("x-a", "secret\x00")]}, "headers"),
        ({"headers": [("x-a", "secrét")]}, "headers"),
        ({"headers": [("x-a", "")]}, "headers"),
        ({"headers": [("Content-Length", "5")]}, "headers"),
        ({"headers": [("Host", "other")]}, "headers"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        endpoint("up", "https://host/v1", **options)
    assert caught.value.param == param
    assert "secr" not in str(caught.value)


def test_repr_shows_no_header() -> None:
    made = endpoint("up", "https://host/v1", headers=[("api-key", "secret-value")])
    assert repr(made) == "Endpoint('up', https://host/v1)"


def test_a_request_head() -> None:
    made = endpoint("up", "https://host:8443/v1", headers=[("X-Team", "blue"), ("accept", "*/*")])
    head = request_head(made, "POST", "/chat/completions", [("Accept", "application/json")])
    assert head == (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: host:8443\r\naccept-encoding: identity\r\n"
        b"user-agent: reseller-kit\r\nx-team: blue\r\naccept: application/json\r\n"
    )


@pytest.mark.parametrize("query", ["alt=sse", "api-version=2024-10-21&key_1=A.b~c"])
def test_a_path_may_have_a_query_that_needs_no_escapes(query: str) -> None:
    head = request_head(endpoint("up", "https://host/v1"), "POST", f"/m:stream?{query}")
    assert head.startswith(f"POST /v1/m:stream?{query} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("path", ["chat", "/a b", "/a\r\nx: y", "/a?b=c/d", "/a?b=%0d", "/a?b?c", "/a#b", "/é"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request_head(endpoint("up", "https://host/v1"), "POST", path)
    assert caught.value.param == "path"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_out_of_its_line(name: str, value: str) -> None:
    made = endpoint("up", "https://host/v1")
    plain = request_head(made, "POST", "/x")
    try:
        head = request_head(made, "POST", "/x", [(name, value)])
    except InvalidRequest:
        return
    assert head.count(b"\r\n") - plain.count(b"\r\n") in (0, 1)
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    assert f"{name.lower()}: {value}\r\n".encode() in head
