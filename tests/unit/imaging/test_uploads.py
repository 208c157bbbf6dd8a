"""An upload is decoded within bounds and leaves as pixels alone, or is refused in words."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reseller_kit.imaging import MAX_SOURCE_BYTES, MAX_STORED_BYTES, ImageRefused, Picture, read_upload


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.body))


LOGO = saved(Image.new("RGBA", (400, 100), (67, 56, 202, 128)), "PNG")


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that would be a picture of that size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def webp_that_claims(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_png_jpeg_and_webp_are_taken(kind: str) -> None:
    picture = read_upload("logo_light", saved(Image.new("RGB", (300, 100), "#4338ca"), kind))
    assert (picture.content_type, picture.width, picture.height) == ("image/png", 300, 100)
    assert opened(picture).format == "PNG"


def test_transparency_stays_and_large_logos_shrink() -> None:
    picture = read_upload("logo_dark", saved(Image.new("RGBA", (3000, 500), (1, 2, 3, 0)), "WEBP", lossless=True))
    assert (picture.width, picture.height) == (960, 160)
    assert opened(picture).convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0) or opened(picture).mode == "RGBA"


def test_a_social_picture_is_cut_to_its_frame() -> None:
    picture = read_upload("social", LOGO)
    assert (picture.content_type, picture.width, picture.height) == ("image/jpeg", 1200, 630)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg/>",
        b"GIF89a" + b"\0" * 60,
        b"%PDF-1.7",
        b"\0\0\1\0",
        saved(Image.new("RGB", (8, 8)), "BMP"),
        saved(Image.new("RGB", (8, 8)), "TIFF"),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\x10\0\0\0WEBP",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"RIFF",
    ],
)
def test_anything_else_is_refused(source: bytes) -> None:
    with pytest.raises(ImageRefused) as refused:
        read_upload("logo_light", source)
    assert refused.value.fix


@pytest.mark.parametrize(
    "source",
    [
        png_that_claims(60_000, 60_000),
        png_that_claims(8_001, 10),
        png_that_claims(7_000, 7_000),
        webp_that_claims(16_383, 16_383),
        webp_that_claims(1 << 24, 1 << 24),
        b"\x89PNG\r\n\x1a\n" + b"\0" * MAX_SOURCE_BYTES,
    ],
)
def test_bombs_are_refused_by_their_head(source: bytes) -> None:
    with pytest.raises(ImageRefused, match=r"more than|larger than"):
        read_upload("setting", source)


def test_a_text_chunk_that_unpacks_to_gigabytes_is_refused() -> None:
    info = PngInfo()
    info.add_text("bomb", "0" * 80_000_000, zip=True)
    source = saved(Image.new("RGB", (4, 4)), "PNG", pnginfo=info)
    assert len(source) < 200_000
    with pytest.raises(ImageRefused):
        read_upload("favicon", source)


def test_nothing_but_pixels_comes_through() -> None:
    info = PngInfo()
    info.add_text("Comment", "<script>secret</script>")
    exif = Image.Exif()
    exif[0x9286] = "secret place"
    image = Image.new("RGB", (40, 20), "#aa0000")
    for source in (
        saved(image, "PNG", pnginfo=info, exif=exif),
        saved(image, "JPEG", exif=exif, comment=b"secret"),
        saved(image, "WEBP", exif=exif, xmp=b"<x>secret</x>"),
    ):
        for kind in ("logo_light", "social", "setting"):
            picture = read_upload(kind, source + b"PK\x03\x04<script>secret</script>")
            assert b"secret" not in picture.body
            assert set(opened(picture).info) <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
                "loop",
                "background",
            }


def test_a_photo_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_upload("setting", saved(Image.new("RGB", (40, 20)), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (20, 40)


def test_of_an_animation_the_first_frame_is_kept() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("#ff0000", "#0000ff")]
    picture = read_upload("favicon", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    assert getattr(opened(picture), "n_frames", 1) == 1
    assert opened(picture).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_even_noise_is_stored_within_half_a_mebibyte() -> None:
    noise = Image.frombytes("RGB", (960, 320), random.Random(1).randbytes(960 * 320 * 3))
    assert len(read_upload("logo_light", saved(noise, "PNG")).body) <= MAX_STORED_BYTES


def test_broken_files_are_refused_or_read_and_nothing_else() -> None:
    chance = random.Random(20261126)
    image = Image.frombytes("RGB", (16, 16), chance.randbytes(768))
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = saved(image, kind)
        for _ in range(150):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(8, len(broken))] = chance.randrange(256)
            source = bytes(broken[: chance.randint(8, len(broken))])
            with contextlib.suppress(ImageRefused):
                assert len(read_upload("favicon", source).body) <= MAX_STORED_BYTES


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_read() -> None:
    whole = saved(Image.new("L", (64, 64)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    bomb = whole[:-2] + whole[last:-2] * 200 + whole[-2:]
    assert read_upload("logo_light", whole).body
    with pytest.raises(ImageRefused):
        read_upload("logo_light", bomb)
