"""Pictures: what was uploaded is decoded within bounds and written anew; icons and cards are drawn. Stores nothing.

Only PNG, JPEG and WebP are read. What leaves was encoded here from pixels: no metadata, profile, second frame or
trailing byte of the upload survives. Everything here takes processor time, so it is called in a thread.
"""

from .draw import Card, Mark, draw_card, draw_icon
from .upload import KINDS, MAX_SOURCE_BYTES, MAX_STORED_BYTES, ImageRefused, Kind, Picture, read_upload

__all__ = [
    "KINDS",
    "MAX_SOURCE_BYTES",
    "MAX_STORED_BYTES",
    "Card",
    "ImageRefused",
    "Kind",
    "Mark",
    "Picture",
    "draw_card",
    "draw_icon",
    "read_upload",
]
