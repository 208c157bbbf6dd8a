"""How many tokens images, documents and recordings can come to, told from their first bytes. Decodes none of them.

A bound is for the hold, an estimate for `count_tokens` and for calls without a report; what is charged is what the
upstream reports. A header that lies moves its own hold alone: usage above a hold is overage. Sources: specifications of
PNG, GIF89a, JPEG (ITU T.81) and WebP; RFC 9639 (FLAC), RFC 3533 and RFC 7845 (Ogg, Opus); the providers' guides to
vision and to PDF support.
"""

from __future__ import annotations

import binascii
import re
import struct
from itertools import islice
from typing import Final, Literal

from msgspec import Struct

IMAGE_TOKENS: Final = 20_000
"""Bound for an image whose size is not known: more than a photograph of 12 megapixels comes to anywhere."""
REMOTE_TOKENS: Final = 100_000
"""Bound for a document, recording or video that is only named by its address."""
PAGE_TOKENS: Final = 8_000
"""Bound for a page of a document: its text, 3,000 at most by the providers' own word, and its picture."""
AUDIO_TOKENS_PER_SECOND: Final = 50
"""No model counts more."""

_IMAGE_LEAST: Final = 2_300
"""Some models count a picture of any size as a fixed number, at the highest resolution this one."""
_LARGEST_SCALED: Final = 4_784
"""Tokens of an image after the reduction that the makers of the models estimated here apply."""
_UNSIZED_IMAGE_ESTIMATE: Final = 1_600
_PAGE_ESTIMATE: Final = 2_500
_AUDIO_BASE_TOKENS: Final = 64
_AUDIO_ESTIMATE_PER_SECOND: Final = 32
_SLOWEST_AUDIO: Final = 750
"""Bytes a second: 6 kbit/s, below any speech codec in use."""
_COMMON_AUDIO: Final = 16_000
"""Bytes a second of a recording whose header is not known, for an estimate."""
_MOST_DOCUMENT_BYTES: Final = 8 << 20
"""Pages of larger documents are not counted: they are bounded by their bytes."""
_MOST_PAGES: Final = 10_000
_PLAIN_SAMPLES: Final = frozenset({1, 3, 6, 7, 0xFFFE})
"""Forms of a WAV file in which each sample has its full size: PCM, floating point, A-law and µ-law, extensible."""
_MOST_SEGMENTS: Final = 1_000
_TAIL_BYTES: Final = 1 << 16

Kind = Literal["image", "document", "audio", "video"]


class Medium(Struct, frozen=True):
    """Something in a request that is not text. `data`: base64 or raw bytes; None: it is named by its address alone."""

    kind: Kind
    data: str | bytes | None = None

    @property
    def characters(self) -> int:
        """Length of the inline data, which is not text and is left out of a count of characters."""
        return 0 if self.data is None else len(self.data)


def token_bound(medium: Medium) -> int:
    """The most tokens that a medium can come to, but for models that weight image tokens by a factor."""
    data = medium.data
    if medium.kind == "image":
        return _image_bound(None if data is None else image_size(data))
    if data is None:
        return REMOTE_TOKENS
    if medium.kind == "audio":
        return audio_seconds(data) * AUDIO_TOKENS_PER_SECOND + _AUDIO_BASE_TOKENS
    pages = document_pages(data) if medium.kind == "document" else None
    # A token stands for at least one byte of text; for a video its bytes outnumber what any frame rate comes to.
    return len(data) if pages is None else pages * PAGE_TOKENS


def token_estimate(medium: Medium) -> int:
    """About how many tokens a medium comes to."""
    data = medium.data
    if medium.kind == "image":
        size = None if data is None else image_size(data)
        return _UNSIZED_IMAGE_ESTIMATE if size is None else min(_patches(size, 28), _LARGEST_SCALED)
    if data is None:
        return _PAGE_ESTIMATE
    if medium.kind == "audio":
        unstated = stated_seconds(data) is None
        seconds = -(-_size(data) // _COMMON_AUDIO) if unstated else audio_seconds(data)
        return seconds * _AUDIO_ESTIMATE_PER_SECOND
    pages = document_pages(data) if medium.kind == "document" else None
    return _size(data) // 16 if pages is None else pages * _PAGE_ESTIMATE


def payload(address: str) -> str | None:
    """The base64 data of a `data:` URL; None for any other address."""
    if address[:5].lower() != "data:":
        return None
    head, _, data = address.partition(",")
    return data if head.lower().endswith(";base64") else address


def image_size(data: str | bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; None if the data does not tell."""
    head = _at(data, 0, 30)
    size = None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _unpack(">II", head[16:24])
    elif head[:6] in {b"GIF87a", b"GIF89a"}:
        size = _unpack("<HH", head[6:10])
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        size = _webp_size(head)
    elif head.startswith(b"\xff\xd8"):
        size = _jpeg_size(data)
    return (size[0], size[1]) if size and min(size) > 0 else None


def document_pages(data: str | bytes) -> int | None:
    """Pages of a PDF, as far as they can be counted without unpacking it; None for anything else and for large ones."""
    if not _at(data, 0, 5).startswith(b"%PDF-") or _size(data) > _MOST_DOCUMENT_BYTES:
        return None
    whole = _at(data, 0, _MOST_DOCUMENT_BYTES)
    pages = sum(1 for _ in islice(_PAGE.finditer(whole), _MOST_PAGES))
    counts = (int(found[1]) for found in islice(_PAGE_COUNT.finditer(whole), _MOST_PAGES))
    return min(max(pages, max(counts, default=0)), _MOST_PAGES) or None


def audio_seconds(data: str | bytes) -> int:
    """Seconds that a recording lasts at most, rounded up: stated by WAV, FLAC and Ogg, else by the slowest bit rate."""
    stated = stated_seconds(data)
    slowest = -(-_size(data) // _SLOWEST_AUDIO)
    return slowest if stated is None else min(stated, slowest)


def stated_seconds(data: str | bytes) -> int | None:
    """Seconds that a WAV, FLAC or Ogg recording says it lasts, rounded up; None for others, which do not say so."""
    head = _at(data, 0, 128)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav_seconds(data, head)
    if head[:4] == b"fLaC" and len(head) >= 26:
        rate_and_samples = int.from_bytes(head[18:26], "big")
        return _seconds(rate_and_samples & 0xFFFFFFFFF, rate_and_samples >> 44)
    if head[:4] == b"OggS":
        return _ogg_seconds(data, head)
    return None


_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PAGE_COUNT: Final = re.compile(rb"/Count\s+(\d{1,6})(?!\d)")


def _image_bound(size: tuple[int, int] | None) -> int:
    if size is None:
        return IMAGE_TOKENS
    # Patches of 28 and 32 pixels, these weighted by 1.2, or by 2.5 in models that reduce a picture to 1,536 of them.
    fine, coarse = _patches(size, 28), _patches(size, 32)
    return max(_IMAGE_LEAST, fine, coarse * 6 // 5 + 1, min(coarse, 1_536) * 5 // 2)


def _patches(size: tuple[int, int], pixels: int) -> int:
    return -(-size[0] // pixels) * -(-size[1] // pixels)


def _webp_size(head: bytes) -> tuple[int, ...] | None:
    if head[12:16] == b"VP8X" and len(head) == 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L" and head[20:21] == b"\x2f":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        found = _unpack("<HH", head[26:30])
        return found and (found[0] & 0x3FFF, found[1] & 0x3FFF)
    return None


def _jpeg_size(data: str | bytes) -> tuple[int, ...] | None:
    place = 2
    for _ in range(_MOST_SEGMENTS):
        segment = _at(data, place, 9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        marker = segment[1]
        if marker == 0xFF:
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big")
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
        else:
            place += 2 + max(2, int.from_bytes(segment[2:4], "big"))
    return None


def _wav_seconds(data: str | bytes, head: bytes) -> int | None:
    place = head.find(b"fmt ")
    found = _unpack("<HHIIHH", head[place + 8 : place + 24]) if place > 0 else None
    if found is None:
        return None
    form, channels, rate, _, _, bits = found
    # Decoders go by these; nothing depends on the bytes a second that the header promises.
    return _seconds(_size(data), rate * channels * bits // 8) if form in _PLAIN_SAMPLES else None


def _ogg_seconds(data: str | bytes, head: bytes) -> int | None:
    size = _size(data)
    start = max(0, size - _TAIL_BYTES)
    tail = _at(data, start, size - start)
    place = tail.rfind(b"OggS")
    granule = _unpack("<q", tail[place + 6 : place + 14]) if place >= 0 else None
    vorbis = head.find(b"\x01vorbis")
    rate = (48_000,) if b"OpusHead" in head else _unpack("<I", head[vorbis + 12 : vorbis + 16]) if vorbis > 0 else None
    return _seconds(granule[0], rate[0]) if granule and rate else None


def _seconds(samples: int, rate: int) -> int | None:
    return -(-samples // rate) if samples > 0 and rate > 0 else None


def _unpack(form: str, data: bytes) -> tuple[int, ...] | None:
    return struct.unpack(form, data) if len(data) == struct.calcsize(form) else None


def _size(data: str | bytes) -> int:
    """Bytes; of base64 at most two more than there are."""
    return len(data) * 3 // 4 if isinstance(data, str) else len(data)


def _at(data: str | bytes, start: int, length: int) -> bytes:
    """Up to `length` bytes from `start`; fewer at the end, none where base64 has foreign characters."""
    if isinstance(data, bytes):
        return data[start : start + length]
    first, skipped = divmod(start, 3)
    last = -(-(start + length) // 3)
    try:
        found = binascii.a2b_base64(_padded(data[first * 4 : last * 4]), strict_mode=True)
    except (binascii.Error, ValueError):
        return b""
    return found[skipped : skipped + length]


def _padded(data: str) -> str:
    return data + "=" * (-len(data) % 4)
