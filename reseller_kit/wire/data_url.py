"""Data URLs: the media that requests carry inline. Decodes no base64. Source: RFC 2397."""

from __future__ import annotations

import re
from typing import Final

from ..core.errors import InvalidRequest
from .conversation import Media, MediaKind

_HEAD: Final = re.compile(
    r"data:([a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64})?((?:;[a-z0-9_.+-]+=[^;,]{0,100})*);base64,", re.IGNORECASE
)


def media_of(kind: MediaKind, address: str, *, param: str, name: str | None = None, detail: str | None = None) -> Media:
    """The medium at an address, inline or remote. Raises InvalidRequest for inline data that is not base64."""
    if address[:5].lower() != "data:":
        if not address.lower().startswith(("http://", "https://")):
            raise InvalidRequest(f"{param}: a URL or a base64 data URL is needed.", param=param)
        return Media(kind=kind, url=address, name=name, detail=detail)
    head = _HEAD.match(address)
    if head is None:
        raise InvalidRequest(f"{param}: inline data has to be base64: data:TYPE;base64,….", param=param)
    media_type = head.group(1)
    return Media(
        kind=kind,
        media_type=media_type.lower() if media_type else None,
        data=address[head.end() :],
        name=name,
        detail=detail,
    )


def data_url(media: Media, default_type: str) -> str:
    """Inline data as a data URL."""
    return f"data:{media.media_type or default_type};base64,{media.data}"
