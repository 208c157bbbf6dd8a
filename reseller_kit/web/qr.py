"""QR codes, drawn here: what they hold is nobody else's to see."""

from __future__ import annotations

import io
from typing import Any

import segno
from litestar import Response

from .pages.answer import SECURITY_HEADERS


def qr_answer(text: str) -> Response[Any]:
    """A text as a picture that an app scans."""
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=4, border=3, dark="#000", light="#fff", xmldecl=False)
    headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
    return Response(out.getvalue(), media_type="image/svg+xml", headers=headers)
