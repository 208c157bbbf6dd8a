"""Form bodies with files, as uploads of audio send them."""

from __future__ import annotations

import email.parser
import email.policy

from scripts._emulator.directives import BadRequest


def decode(content_type: str, body: bytes) -> dict[str, list[bytes]]:
    """The values of each field, in order. Raises BadRequest."""
    if not content_type.lower().startswith("multipart/form-data"):
        raise BadRequest("Content-Type must be multipart/form-data.")
    head = b"content-type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise BadRequest("Could not parse multipart form.")
    found: dict[str, list[bytes]] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found.setdefault(name, []).append(payload)
    return found


def text(found: dict[str, list[bytes]], name: str) -> str | None:
    """A field as text, None where it is missing."""
    return found[name][0].decode("utf-8", "replace") if name in found else None
