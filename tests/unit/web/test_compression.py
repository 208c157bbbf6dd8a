"""Answers packed by gzip: what is packed, what is left alone, and what the headers then say."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from reseller_kit.web.compression import OWN_WORDS, has_own_words, packing, takes_gzip
from reseller_kit.web.responses import Message

LONG = b"<p>The same again.</p>" * 100


async def answered(
    body: bytes, content_type: bytes, *, wanted: bool, status: int = 200, own: bool | None = None, **more: bool
) -> tuple[dict[bytes, bytes], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {}
    if own:
        scope[OWN_WORDS] = True
    packed = packing(send, wanted=wanted, allowed=lambda status: own is None or has_own_words(scope, status))
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await packed({"type": "http.response.start", "status": status, "headers": headers})
    await packed({"type": "http.response.body", "body": body, **more})
    assert len(sent) == 2
    assert len(sent[0]["headers"]) == len(dict(sent[0]["headers"]))
    return dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("kind", [b"text/html; charset=utf-8", b"text/css", b"image/svg+xml", b"application/json"])
async def test_text_is_packed(kind: bytes) -> None:
    headers, body = await answered(LONG, kind, wanted=True)
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"vary"] == b"accept-encoding"
    assert gzip.decompress(body) == LONG
    assert len(body) < len(LONG) / 4


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (LONG, b"font/woff2", True),
        (LONG, b"image/png", True),
        (LONG, b"text/event-stream", True),
        (b"short", b"text/html", True),
        (LONG, b"text/html", False),
    ],
)
async def test_the_rest_is_left_alone(body: bytes, kind: bytes, *, wanted: bool) -> None:
    headers, sent = await answered(body, kind, wanted=wanted)
    assert b"content-encoding" not in headers
    assert (sent, headers[b"content-length"]) == (body, str(len(body)).encode())


@pytest.mark.parametrize("status", [200, 403, 404, 422, 500])
async def test_a_page_that_may_repeat_its_address_is_left_alone_where_secrets_are(status: int) -> None:
    for own in (True, False):
        headers, sent = await answered(LONG, b"text/html", wanted=True, status=status, own=own)
        packed = own and status in {200, 422}
        assert (b"content-encoding" in headers, sent == LONG) == (packed, not packed)
        assert headers[b"vary"] == b"accept-encoding"
    headers, _ = await answered(LONG, b"text/html", wanted=True, status=status)
    assert headers[b"content-encoding"] == b"gzip"


async def test_what_comes_in_pieces_is_not_held_back() -> None:
    headers, sent = await answered(LONG, b"text/html", wanted=True, more_body=True)
    assert b"content-encoding" not in headers
    assert sent == LONG


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (b"gzip", True),
        (b"deflate, GZIP;q=0.5, br", True),
        (b"*", True),
        (b"gzip; q=1.0", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000, br", False),
        (b"br, x-gzipped", False),
        (b"", False),
    ],
)
def test_a_client_says_what_it_takes(value: bytes, *, taken: bool) -> None:
    assert bool(takes_gzip([(b"host", b"a.example"), (b"accept-encoding", value)])) is taken
    assert not takes_gzip([(b"host", b"gzip")])
