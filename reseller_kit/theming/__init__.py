"""Themes on disk to pages, tokens to CSS. Knows no tenant, reads no database: all it shows is given to it.

`load` once, then `render`, `stylesheet`, `icon` and `asset` answer from memory.
"""

from .brand import Brand, Legal
from .drawings import Drawing
from .guides import PATHS as GUIDES
from .library import Asset, Theme, themes_dir
from .mail import Mail, RenderedMail, render_mail
from .page import (
    ErrorInfo,
    LaterRow,
    Links,
    ModelRow,
    PackageRow,
    Page,
    PriceRow,
    StatusRow,
    Visitor,
)
from .render import Library, asset, drawing, icon, load, render, stylesheet, theme_file, web_manifest
from .stylesheet import Stylesheet

__all__ = [
    "GUIDES",
    "Asset",
    "Brand",
    "Drawing",
    "ErrorInfo",
    "LaterRow",
    "Legal",
    "Library",
    "Links",
    "Mail",
    "ModelRow",
    "PackageRow",
    "Page",
    "PriceRow",
    "RenderedMail",
    "StatusRow",
    "Stylesheet",
    "Theme",
    "Visitor",
    "asset",
    "drawing",
    "icon",
    "load",
    "render",
    "render_mail",
    "stylesheet",
    "theme_file",
    "themes_dir",
    "web_manifest",
]
