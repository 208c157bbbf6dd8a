"""A mail's colours in both schemes: in its tags for every reader, and for those who read in the dark as a style sheet.

Mail readers take colours from the tags themselves. What of them is a brand's colour is marked while the mail is made,
so that a sheet in its head can say the dark one; readers that know no such sheet show the light mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from reseller_kit.core.theme import Color

_DARK: Final = "@media (prefers-color-scheme:dark)"
_SCHEMES: Final = "color-scheme:light dark"
_STYLE: Final = re.compile(r' style="([^"]*)"')
_GROUND: Final = re.compile(r' bgcolor="[^"]*"')
_DECLARED: Final = re.compile(r"(?:^|;)\s*([a-z-]+)\s*:([^;]*)")
_MARK: Final = re.compile("\ue000([a-z_]+)\ue001")
"""A colour by its name, in characters that stand for nothing. Only within attributes, where no text of people is."""
_LOGOS: Final = (
    ".logo-light{display:none!important}.logo-dark{display:inline-block!important}"
    ".logo-only{background:#fff!important;padding:4px 6px!important;border-radius:6px}"
)
"""A logo that is for light grounds alone stands on one."""


def mark(name: str) -> str:
    """A colour in a template, until `painted` knows what it is for."""
    return f"\ue000{name}\ue001"


def painted(html: str, light: Mapping[str, Color], dark: Mapping[str, Color]) -> str:
    """The mail with its light colours in the tags and its dark ones in the head. Raises KeyError for no such colour."""
    used: dict[str, str] = {}

    def tag(style: re.Match[str]) -> str:
        classes = []
        for name, value in _DECLARED.findall(style[1]):
            for token in _MARK.findall(value):
                shown = name if name == "color" else f"{name}-color"
                chosen = f"d-{name}-{token}"
                used[chosen] = f".{chosen}{{{shown}:{dark[f'color.{token}'].css}!important}}"
                classes.append(chosen)
        named = f' class="{" ".join(classes)}"' if classes else ""
        return f'{named} style="{_plain(style[1], light)}"'

    body = _GROUND.sub(lambda found: _plain(found[0], light), _STYLE.sub(tag, html))
    # Sides of a border come behind the whole of it.
    rules = "".join(used[name] for name in sorted(used))
    head = (
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">\n'
        f"<style>:root{{{_SCHEMES}}}{_DARK}{{{rules}{_LOGOS}}}</style>\n</head>"
    )
    return body.replace("</head>", head, 1)


def kept_to(html: str, scheme: str) -> str:
    """The mail as it looks in one scheme whatever its reader prefers: for a preview."""
    whom = "@media all" if scheme == "dark" else "@media not all"
    return html.replace(_DARK, whom, 1).replace(_SCHEMES, f"color-scheme:{scheme}", 1)


def _plain(text: str, colors: Mapping[str, Color]) -> str:
    return _MARK.sub(lambda found: colors[f"color.{found[1]}"].css, text)
