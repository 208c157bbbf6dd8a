"""What a sample page is made of: path, template, and what it alone shows."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from .console import Frame
from .page import Visitor

SAMPLE_VISITOR = Visitor(email="jane@example.com", name="Jane Doe", verified=True)


class SamplePage(Struct, frozen=True, kw_only=True):
    """One page with something to show; `visitor` for those behind the log-in, `desk` for the console's."""

    path: str
    template: str
    view: Any
    visitor: Visitor | None = None
    desk: Frame | None = None
