"""Decoding of compressed answers, piece by piece and within a bound."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.upstream.decoding import Inflater, inflater_for
from reseller_kit.upstream.faults import TransportFailed


def inflate(data: bytes, step: int, limit: int = 10_000_000) -> bytes:
    inflater = Inflater(limit)
    out = []
    for start in range(0, len(data), step):
        inflater.feed(data[start : start + step])
        while piece := inflater.take():
            assert len(piece) <= 64 * 1024
            out.append(piece)
    inflater.finish()
    return b"".join(out)


@given(st.binary(max_size=2000), st.integers(1, 500), st.integers(1, 200))
def test_round_trip_in_any_pieces(seed: bytes, repeat: int, step: int) -> None:
    text = seed * repeat
    assert inflate(gzip.compress(text), step) == text
    assert inflate(zlib.compress(text), step) == text


def test_output_left_inside_zlib_is_taken() -> None:
    text = bytes(5_000_000)
    assert inflate(gzip.compress(text), 1_000_000) == text


def test_a_bomb_is_stopped_at_its_cap() -> None:
    with pytest.raises(TransportFailed) as caught:
        inflate(gzip.compress(bytes(5_000_000)), 4096, limit=1_000_000)
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize("data", [gzip.compress(b"hello")[:-1], gzip.compress(b"hello") + b"x", b"plain text", b""])
def test_broken_input(data: bytes) -> None:
    with pytest.raises(TransportFailed) as caught:
        inflate(data, 7)
    assert caught.value.kind == "malformed"


def test_codings() -> None:
    assert inflater_for(b" Identity ") is None
    assert isinstance(inflater_for(b"GZIP"), Inflater)
    for coding in (b"br", b"gzip, gzip", b"zstd"):
        with pytest.raises(TransportFailed, match="not available"):
            inflater_for(coding)
