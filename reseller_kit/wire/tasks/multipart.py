"""Forms with files as bytes. Written here; who receives one has parsed it already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec import Struct


class Field(Struct, frozen=True, kw_only=True):
    """One field of a form. `filename`: None for one that is no file."""

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None


def boundary_of(fields: Iterable[Field]) -> str:
    """A boundary that stands in none of these."""
    digest = hashlib.sha256()
    for field in fields:
        digest.update(field.content)
    return f"form-{digest.hexdigest()[:40]}"


def write_form(fields: Iterable[Field], boundary: str) -> bytes:
    """The body. Source: RFC 7578; quotes and line ends in names are escaped as browsers do."""
    parts: list[bytes] = []
    for field in fields:
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{_escaped(field.name)}"'
        if field.filename is not None:
            head += f'; filename="{_escaped(field.filename)}"'
        if field.content_type is not None:
            head += f"\r\ncontent-type: {field.content_type}"
        parts += [head.encode(), b"\r\n\r\n", field.content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _escaped(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
