"""An uploaded picture to one of ours: decoded within bounds, turned upright, made to fit, encoded anew.

Bounds hold before anything is decoded: bytes of the file, then width, height and pixels as its head states them. For
WebP the head is read here, since its decoder makes room for the canvas when it opens a file.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct
from PIL import Image, ImageOps

from reseller_kit.core.errors import InvalidRequest

Kind = Literal["logo_light", "logo_dark", "logo_mail", "favicon", "social", "setting"]
MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024
MAX_STORED_BYTES: Final = 512 * 1024
_MAX_PIXELS: Final = 16_000_000
_MAX_SIDE: Final = 8_000
_SCAN: Final = b"\xff\xda"
_MAX_SCANS: Final = 100
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_MAGIC: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_SHRINK: Final = 0.8
_BROKEN: Final = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises for files that are broken, of any kind."""


class ImageRefused(InvalidRequest):
    """The file is no picture that is taken here."""

    code = "image_refused"
    status = 422


class Picture(Struct, frozen=True, kw_only=True):
    """An encoded picture. `sha256` is that of its bytes, in hex."""

    content_type: str
    body: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """What it is known by."""
        return hashlib.sha256(self.body).hexdigest()


class _Form(Struct, frozen=True):
    """How a kind leaves: made to fit into `box`, or cut to it; `photo`: as WebP (JPEG where `flat`)."""

    box: tuple[int, int]
    cut: bool = False
    photo: bool = False
    flat: bool = False


KINDS: Final[Mapping[Kind, _Form]] = {
    "logo_light": _Form((960, 320)),
    "logo_dark": _Form((960, 320)),
    "logo_mail": _Form((600, 200)),
    "favicon": _Form((512, 512)),
    "social": _Form((1200, 630), cut=True, photo=True, flat=True),
    "setting": _Form((1600, 1600), photo=True),
}


def read_upload(kind: Kind, source: bytes) -> Picture:
    """The picture for its place. Raises ImageRefused, whose message says why."""
    image = _opened(source)
    form = KINDS[kind]
    if form.cut:
        image = ImageOps.fit(image, form.box, Image.Resampling.LANCZOS)
    else:
        image.thumbnail(form.box, Image.Resampling.LANCZOS)
    encode = _encoder(form)
    body, content_type = encode(image)
    while len(body) > MAX_STORED_BYTES:
        smaller = (max(1, int(image.width * _SHRINK)), max(1, int(image.height * _SHRINK)))
        image = image.resize(smaller, Image.Resampling.LANCZOS)
        body, content_type = encode(image)
    return Picture(content_type=content_type, body=body, width=image.width, height=image.height)


def _opened(source: bytes) -> Image.Image:
    """The first frame, upright, as RGB or RGBA."""
    if len(source) > MAX_SOURCE_BYTES:
        raise ImageRefused(
            f"The picture is larger than {MAX_SOURCE_BYTES // 1024 // 1024} MiB.", fix="Make it smaller."
        )
    if not source.startswith(_MAGIC):
        raise ImageRefused("This is no PNG, JPEG or WebP picture.", fix="Save it as one of these; SVG is not taken.")
    if source.startswith(b"\xff\xd8") and source.count(_SCAN) > _MAX_SCANS:
        # Each scan of a progressive JPEG is a pass over the whole picture, however few bytes it has.
        raise ImageRefused("The picture can't be read.", fix="Save it anew as a plain JPEG or PNG.")
    if source.startswith(b"RIFF"):
        _check_size(*_webp_size(source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source), formats=_FORMATS) as opened:
                _check_size(*opened.size)
                opened.load()
                image = ImageOps.exif_transpose(opened)
                return image.convert("RGBA" if image.has_transparency_data else "RGB")
    except Image.DecompressionBombError:
        raise _too_large() from None
    except _BROKEN as error:
        if isinstance(error, ImageRefused):
            raise
        raise ImageRefused("The picture can't be read.", fix="Open it in a picture editor and save it anew.") from None


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageRefused("The picture can't be read.", fix="Open it in a picture editor and save it anew.")
    if max(width, height) > _MAX_SIDE or width * height > _MAX_PIXELS:
        raise _too_large()


def _too_large() -> ImageRefused:
    message = f"The picture has more than {_MAX_PIXELS // 1_000_000} million pixels, or a side over {_MAX_SIDE}."
    return ImageRefused(message, fix="Make it smaller.")


def _webp_size(source: bytes) -> tuple[int, int]:
    """Width and height of the canvas. Source: WebP Container Specification; RFC 6386, section 9.1; RFC 9649."""
    kind, head = source[12:16], source[20:30].ljust(10, b"\0")
    if source[8:12] != b"WEBP":
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _encoder(form: _Form) -> Callable[[Image.Image], tuple[bytes, str]]:
    if form.flat:
        return lambda image: (_saved(_flat(image), "JPEG", quality=86, optimize=True), "image/jpeg")
    if form.photo:
        return lambda image: (_saved(image, "WEBP", quality=84, method=4), "image/webp")
    return lambda image: (_saved(image, "PNG", optimize=True), "image/png")


def _flat(image: Image.Image) -> Image.Image:
    """Without transparency, on white."""
    if image.mode == "RGB":
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encoded from pixels alone: nothing that the upload said of itself goes along."""
    image.info = {}
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
