"""Sizes, pages and seconds from the first bytes of media, and what these can come to at most."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.wire.media import (
    AUDIO_TOKENS_PER_SECOND,
    IMAGE_TOKENS,
    PAGE_TOKENS,
    REMOTE_TOKENS,
    Medium,
    audio_seconds,
    document_pages,
    image_size,
    payload,
    stated_seconds,
    token_bound,
    token_estimate,
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> bytes:
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I4s", len(header), b"IHDR") + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0" * 40


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 30


def jpeg(width: int, height: int, *, before: int = 70_000) -> bytes:
    """With `before` bytes of metadata, a thumbnail's own header among them, before the picture's header."""
    thumbnail = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10"
    segments = b""
    while before > 0:
        content = (thumbnail + b"\0" * 60_000)[: min(before, 60_000)]
        segments += b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
        before -= 60_000
    frame = b"\xff\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\0" * 9
    return b"\xff\xd8" + segments + frame + b"\xff\xda" + b"\0" * 40


def webp_extended(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + canvas + b"\0" * 20


def webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + bits.to_bytes(4, "little") + b"\0" * 20


def webp_lossy(width: int, height: int) -> bytes:
    return b"RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 20


FORMATS: Final[list[Callable[[int, int], bytes]]] = [png, gif, jpeg, webp_extended, webp_lossless, webp_lossy]


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: made.__name__)
@given(st.integers(1, 16_000), st.integers(1, 16_000))
def test_every_format_tells_its_size_raw_and_in_base64(
    made: Callable[[int, int], bytes], width: int, height: int
) -> None:
    data = made(width, height)
    assert image_size(data) == image_size(b64(data)) == image_size(b64(data).rstrip("=")) == (width, height)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + b"\xff" * 5_000,
        b"\xff\xd8\xff\xe1\x00",
        png(0, 5),
        png(7, 7)[:20],
        b"<svg/>",
        b"RIFF",
    ],
)
def test_what_does_not_tell_its_size_has_none(data: bytes) -> None:
    assert image_size(data) is image_size(b64(data)) is None
    assert token_bound(Medium("image", data)) == IMAGE_TOKENS


def test_base64_with_blanks_or_foreign_characters_tells_nothing() -> None:
    text = b64(png(640, 480))
    for broken in ("\n" + text, text[:10] + " " + text[10:], "é" + text, "data:," + text):
        assert image_size(broken) is None


@pytest.mark.parametrize(
    ("width", "height", "reported"),
    [
        # Tokens that providers count for one picture: the highest published of any of them.
        (256, 256, 1_090),
        (1_024, 1_024, 2_560),
        (1_920, 1_080, 3_840),
        (2_560, 1_440, 4_784),
        (3_840, 2_160, 9_792),
        (4_032, 3_024, 14_364),
    ],
)
def test_the_bound_of_a_picture_is_not_below_what_providers_count(width: int, height: int, reported: int) -> None:
    medium = Medium("image", png(width, height))
    assert reported <= token_bound(medium) <= max(IMAGE_TOKENS, 2 * reported)
    assert 0 < token_estimate(medium) <= 4_784


def test_pages_of_a_document() -> None:
    loose = b"%PDF-1.4\n" + b"<< /Type /Page /Parent 1 0 R >>\n" * 3 + b"<< /Type/Pages /Kids [] >>"
    packed = b"%PDF-1.7\n<< /Type /Pages /Count 12 >>" + bytes(range(256))
    assert (document_pages(loose), document_pages(b64(packed))) == (3, 12)
    assert document_pages(b"%PDF-1.7\n" + bytes(range(256))) is None
    assert document_pages(b"Count 5 /Type /Page") is None
    assert document_pages(b"%PDF-1.4 /Type /Page" + b"\0" * (9 << 20)) is None
    assert token_bound(Medium("document", loose)) == 3 * PAGE_TOKENS
    assert token_bound(Medium("document", "A" * 500)) == 500
    assert token_bound(Medium("document")) == token_bound(Medium("video")) == REMOTE_TOKENS


def wav(seconds: int, *, form: int = 1, rate: int = 8_000) -> bytes:
    # The header promises a thousand times as many bytes a second as there are.
    head = struct.pack("<HHIIHH", form, 1, rate, rate * 2_000, 2, 16)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + head + b"data\0\0\0\0" + b"\0" * (rate * 2 * seconds - 44)


def flac(seconds: int) -> bytes:
    return b"fLaC\0\0\0\x22" + b"\0" * 10 + (44_100 << 44 | 44_100 * seconds).to_bytes(8, "big") + b"\0" * 90_000


def ogg(seconds: int, head: bytes, rate: int) -> bytes:
    page = b"OggS\0\0" + struct.pack("<q", 0) + b"\0" * 14 + head
    return page + b"\0" * 100_000 + b"OggS\0\4" + struct.pack("<q", rate * seconds) + b"\0" * 20


@pytest.mark.parametrize(
    "data",
    [
        wav(9),
        wav(9, form=7),
        flac(9),
        ogg(9, b"OpusHead", 48_000),
        ogg(9, b"\x01vorbis" + struct.pack("<IBI", 0, 2, 44_100), 44_100),
    ],
    ids=["wav", "wav, µ-law", "flac", "opus", "vorbis"],
)
def test_recordings_that_state_their_length(data: bytes) -> None:
    assert audio_seconds(data) == audio_seconds(b64(data)) == 9
    assert token_bound(Medium("audio", data)) == 9 * AUDIO_TOKENS_PER_SECOND + 64


def test_a_packed_recording_does_not_tell_its_length() -> None:
    assert stated_seconds(wav(9, form=0x11)) is None
    assert stated_seconds(b"ID3") is None


def test_other_recordings_are_as_long_as_the_slowest_bit_rate_makes_them() -> None:
    assert audio_seconds(b"ID3" + b"\0" * 1_497) == 2
    assert audio_seconds(b"") == 0
    # A header that claims more than could ever be in so few bytes is not believed.
    assert audio_seconds(ogg(10**9, b"OpusHead", 48_000)) < 200


def test_only_inline_addresses_have_a_payload() -> None:
    assert payload("data:image/png;base64,AAAA") == "AAAA"
    assert payload("DATA:image/png;BASE64,AAAA") == "AAAA"
    assert payload("data:text/plain,hello") == "data:text/plain,hello"
    assert payload("https://pictures.example/1.png") is None
    assert (Medium("image", "AAAA").characters, Medium("image").characters) == (4, 0)


_beginnings = st.sampled_from(
    [
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"fLaC",
        b"OggS",
        b"%PDF-",
        b"",
    ]
)


@given(_beginnings, st.binary(max_size=200), st.sampled_from(["image", "document", "audio", "video"]))
def test_no_bytes_raise_and_no_estimate_is_above_its_bound(start: bytes, rest: bytes, kind: str) -> None:
    data = start + rest
    for given_data in (data, b64(data), data.decode("latin-1")):
        medium = Medium(kind, given_data)  # type: ignore[arg-type]
        assert 0 <= token_estimate(medium) <= token_bound(medium)
