"""Cutting a byte stream into events, by the rules of server-sent events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.wire.sse import EventSplitter, parse_event


def blocks_of(pieces: list[bytes], *, max_event_bytes: int = 1000) -> tuple[list[bytes], bool]:
    splitter = EventSplitter(max_event_bytes)
    found = [block for piece in pieces for block in splitter.feed(piece)] + splitter.close()
    return [block.strip(b"\n") for block in found if block.strip(b"\n")], splitter.overflow


@pytest.mark.parametrize(
    ("stream", "blocks"),
    [
        (b"data: a\n\ndata: b\n\n", [b"data: a", b"data: b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a", b"data: b"]),
        (b"data: a\r\rdata: b\r\r", [b"data: a", b"data: b"]),
        (b"data: a\r\n\ndata: b\n\r", [b"data: a", b"data: b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"data: a"]),
        (b"\n\n\n\ndata: a\n\n\n\n\n\ndata: b\n\n", [b"data: a", b"data: b"]),
        (b"event: x\ndata: a\ndata: b\n\n", [b"event: x\ndata: a\ndata: b"]),
        (b"data: a\n\ndata: b", [b"data: a", b"data: b"]),
        (b"data: a\n\ndata: b\n", [b"data: a", b"data: b"]),
        (b"", []),
    ],
)
def test_known_streams(stream: bytes, blocks: list[bytes]) -> None:
    assert blocks_of([stream]) == (blocks, False)
    assert blocks_of([stream[place : place + 1] for place in range(len(stream))]) == (blocks, False)


@pytest.mark.parametrize(
    ("block", "event"),
    [
        (b"data: a", (b"", b"a")),
        (b"data:a", (b"", b"a")),
        (b"data:  a", (b"", b" a")),
        (b"data: a\ndata: b", (b"", b"a\nb")),
        (b"event: error\nid: 1\ndata: a", (b"error", b"a")),
        (b": comment", (b"", b"")),
        (b"data", (b"", b"")),
        (b"event: ping", (b"ping", b"")),
        (b"database: a", (b"", b"")),
        (b": c\ndata: a", (b"", b"a")),
    ],
)
def test_fields_of_an_event(block: bytes, event: tuple[bytes, bytes]) -> None:
    assert parse_event(block) == event


def test_an_event_over_the_limit_stops_everything_after_it() -> None:
    good, bad = b"data: a\n\n", b"x" * 1001 + b"\n\n"
    assert blocks_of([good + bad + good]) == ([b"data: a"], True)
    assert blocks_of([good, bad[:600], bad[600:], good]) == ([b"data: a"], True)
    assert blocks_of([good + b"x" * 1000 + b"\n\n" + good]) == ([b"data: a", b"x" * 1000, b"data: a"], False)


_lines = st.lists(st.sampled_from([b"", b"", b"data: a", b": c", b"x" * 30, "data: 漢".encode()]), max_size=12)
_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(_lines, _ends, st.lists(st.integers(0, 500), max_size=10))
def test_any_split_and_any_line_end_give_the_same_blocks(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    stream = b"".join(line + end for line in lines)
    places = sorted({cut % (len(stream) + 1) for cut in cuts})
    pieces = [stream[start:stop] for start, stop in zip([0, *places], [*places, len(stream)], strict=True)]
    whole = b"\n".join(lines) + b"\n" if lines else b""
    assert blocks_of(pieces, max_event_bytes=50) == blocks_of([whole], max_event_bytes=50)


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_nothing_is_lost_or_invented_between_line_ends(pieces: list[bytes]) -> None:
    blocks, overflow = blocks_of(pieces)
    stream = b"".join(pieces).replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(b"\xef\xbb\xbf")
    assert not overflow
    assert b"".join(blocks).replace(b"\n", b"") == stream.replace(b"\n", b"")
