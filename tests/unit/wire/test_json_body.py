"""Bodies that are one unambiguous JSON object, and all that are not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.json_body import decode_as, encode_object, parse_object

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), _json, max_size=6), st.booleans(), st.booleans())
def test_any_object_survives_raw(document: dict[str, Any], compact: bool, escaped: bool) -> None:  # noqa: FBT001
    separators = (",", ":") if compact else (", ", ": ")
    body = json.dumps(document, separators=separators, ensure_ascii=escaped).encode()
    fields = parse_object(body)
    assert json.loads(encode_object(fields)) == document
    assert {name: json.loads(bytes(value)) for name, value in fields.items()} == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"model"',
        b"{",
        b"{}{}",
        b'{"a":1,}',
        b'{"a":NaN}',
        b'{"a":[Infinity]}',
        b'{"a":01}',
        b'{"a":"\x01"}',
        b'{"a":"\\ud800"}',
        b'{"a":["\\ud800x"]}',
        b'{"a":{"b":"\\udc00\\ud800"}}',
        b'{"a":"\\u12G4"}',
        b'{"a":"\xff"}',
        b'{"a":[{"b":"\xc3"}]}',
        b'{"\xff":1}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"{'a':1}",
        b'{"a":1}//',
    ],
)
def test_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a", "mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"a","\\u006dodel":"b"}',
        b'{ "stream" : true , "x" : 1 , "stream" : false }',
        b'{"a":1,"a":1}',
        b'{"":1,"":2}',
    ],
)
def test_duplicate_keys_are_refused_however_they_are_spelt(body: bytes) -> None:
    large = b'{"pad":"%b",%b' % (b"x" * 5_000, body.strip()[1:])
    for sent in (body, large):
        with pytest.raises(InvalidRequest) as refusal:
            parse_object(sent)
        assert refusal.value.param in {"model", "stream", "a", ""}


def test_the_same_key_at_different_depths_is_no_duplicate() -> None:
    assert set(parse_object(b'{"a":{"a":1,"b":{"a":2}},"b":["a","a"]}')) == {"a", "b"}


def test_a_typed_look_names_the_path() -> None:
    decoder = msgspec.json.Decoder(dict[str, list[int]])
    with pytest.raises(InvalidRequest) as refusal:
        decode_as(decoder, b'{"a":[1,"x"]}', within="tools")
    assert refusal.value.param == "tools[...][1]"
    assert "Expected `int`, got `str`" in refusal.value.message
