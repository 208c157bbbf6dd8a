"""The head of an answer, as it came and as the parser found it to be sound: its headers, for those who ask for them.

The parser takes no folded values, no lone line feed and no blank before a colon, so that a line is a header.
"""

from __future__ import annotations

from typing import Final

LINE_END: Final = b"\r\n"
END: Final = b"\r\n\r\n"
ENCODING: Final = b"-encoding:"
"""Where this is not, neither of the next two is."""
TRANSFER_ENCODING: Final = b"\r\ntransfer-encoding:"
CONTENT_ENCODING: Final = b"\r\ncontent-encoding:"
CONTENT_LENGTH: Final = b"\r\ncontent-length:"


def headers_in(head: bytes) -> dict[bytes, bytes]:
    """Names in small letters with their values, repeated ones joined by `, `; `head` begins with its status line."""
    headers: dict[bytes, bytes] = {}
    for line in head.split(LINE_END)[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def values_in(lowered: bytes, field: bytes) -> list[bytes]:
    """All values of a field. `lowered`: the head in small letters; `field`: a name between a line's end and a colon."""
    return [rest.partition(LINE_END)[0].strip(b" \t") for rest in lowered.split(field)[1:]]
