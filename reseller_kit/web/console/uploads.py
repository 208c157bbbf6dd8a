"""Reads forms of the console that carry files: bounded, from our own pages alone. Decodes no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from ...core.errors import InvalidRequest, RequestTooLarge
from ..forms import Form, believe, check_origin, read_form
from ..gateway.form import read_form as read_parts
from ..pages import Handler

MAX_BYTES: Final = 20 * 1024 * 1024
_MAX_PARTS: Final = 600
_MAX_TEXT: Final = 200_000


class Upload(Struct, frozen=True):
    """What was sent: fields, and files that are not empty by their field."""

    form: Form
    files: Mapping[str, bytes]


async def read_upload(request: Handler) -> Upload:
    """The form that was posted, with or without files. Raises as `read_form` does."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return Upload(await read_form(request, _MAX_PARTS, _MAX_TEXT), {})
    check_origin(request)
    body = await _body(request)
    fields: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for part in read_parts(body, list(request.scope["headers"]), _MAX_PARTS):
        if part.filename is not None:
            if part.content:
                files[part.name] = part.content
            continue
        try:
            fields.setdefault(part.name, []).append(part.content.decode("utf-8"))
        except UnicodeDecodeError:
            raise InvalidRequest("The form can't be read.", fix="Send it as a browser does, in UTF-8.") from None
    form = Form({name: tuple(values) for name, values in fields.items()})
    believe(request, form)
    return Upload(form, files)


async def _body(request: Handler) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise RequestTooLarge("The form is too large.", fix="Send fewer pictures at once, of 4 MiB at most each.")
        chunks.append(chunk)
    return b"".join(chunks)
