"""Reads a form with files out of a body. Decides nothing about its fields."""

from __future__ import annotations

from typing import Final

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from ...core.errors import InvalidRequest
from ...wire.tasks import Field
from ..hosts import Headers

_MAX_FIELDS: Final = 64
_FORM: Final = "multipart/form-data"


def read_form(body: bytes, headers: Headers, most: int = _MAX_FIELDS) -> list[Field]:
    """The fields of a `multipart/form-data` body, at most so many, in order. Raises InvalidRequest for any other."""
    boundary = _boundary(headers)
    fields: list[Field] = []
    segment: MultipartSegment | None = None
    content = bytearray()
    try:
        with PushMultipartParser(boundary, content_length=len(body), max_segment_count=most) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, content = event, bytearray()
                elif event is not None:
                    content += event
                elif segment is not None:
                    fields.append(_field(segment, bytes(content)))
    except (MultipartError, ValueError) as error:
        raise InvalidRequest(f"The request body is not a form: {error}.") from None
    return fields


def _boundary(headers: Headers) -> str:
    given = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    kind, options = parse_options_header(given)
    if kind.lower() != _FORM or not options.get("boundary"):
        raise InvalidRequest(f"Send a form here: content-type {_FORM}, with its boundary.", param="content-type")
    boundary: str = options["boundary"]
    return boundary


def _field(segment: MultipartSegment, content: bytes) -> Field:
    return Field(name=segment.name or "", content=content, filename=segment.filename, content_type=segment.content_type)
