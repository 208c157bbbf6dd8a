"""What a request's headers say of its host and its key, also where a name comes more than once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest, UnknownHost
from reseller_kit.web.gateway.body import read_body
from reseller_kit.web.hosts import HostTable, named_headers
from reseller_kit.web.keys import key_of

Pairs = list[tuple[bytes, bytes]]


def find_key(headers: Pairs) -> str | None:
    return key_of(headers, named_headers({"headers": headers}))


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"authorization", b"Bearer k"), (b"accept", b"*/*")], "k"),
        ([(b"authorization", b" bearer  k ")], "k"),
        ([(b"authorization", b"Basic k")], None),
        ([(b"authorization", b"Bearer ")], None),
        ([(b"authorization", b"")], None),
        ([(b"x-api-key", b" k ")], "k"),
        ([(b"x-goog-api-key", b"")], None),
        ([(b"authorization", b"Bearer k"), (b"x-api-key", b"k")], "k"),
        ([(b"authorization", b"Basic x"), (b"x-api-key", b"k")], "k"),
        ([(b"x-api-key", b""), (b"api-key", b"k")], "k"),
        ([(b"authorization", b"Bearer k"), (b"authorization", b"Bearer k")], "k"),
        ([(b"authorization", b"Bearer k"), (b"authorization", b"")], "k"),
        ([(b"accept", b"1"), (b"accept", b"2"), (b"authorization", b"Bearer k")], "k"),
    ],
)
def test_the_key_is_found_in_whichever_header_has_one(headers: Pairs, key: str | None) -> None:
    assert find_key(headers) == key


@pytest.mark.parametrize("other", [b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"])
def test_two_keys_are_refused_in_any_two_headers(other: bytes) -> None:
    second = (other, b"Bearer b" if other == b"authorization" else b"b")
    for headers in ([(b"authorization", b"Bearer a"), second], [second, (b"authorization", b"Bearer a")]):
        with pytest.raises(InvalidRequest, match="two different"):
            find_key(headers)


@pytest.mark.parametrize("headers", [[], [(b"host", b"shop.example"), (b"host", b"shop.example")]])
def test_a_host_comes_once(headers: Pairs) -> None:
    snapshot: Any = SimpleNamespace(hosts={}, platform_hosts={"shop.example"})
    table = HostTable(snapshot)
    assert table.find([(b"host", b"shop.example")], {b"host": b"shop.example"}).host == "shop.example"
    twice = [(b"accept", b"1"), (b"accept", b"2"), (b"host", b"shop.example")]
    assert table.find(twice, dict(twice)).host == "shop.example"
    with pytest.raises(UnknownHost):
        table.find(headers, dict(headers))


@pytest.mark.parametrize("encodings", [[b"gzip"], [b"gzip", b"identity"], [b"identity", b"br"]])
async def test_a_packed_body_is_refused_whatever_else_is_said_of_it(encodings: list[bytes]) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    headers = [(b"content-encoding", encoding) for encoding in encodings]
    identity = [(b"content-encoding", b" Identity ")]
    assert await read_body(receive, identity, dict(identity)) == b"{}"
    with pytest.raises(InvalidRequest, match="Compressed"):
        await read_body(receive, headers, dict(headers))
