"""Ranges of sampling that every provider keeps to; outside of them a call is refused before it costs. Reads nothing."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
"""Of probability, as `top_p`; Anthropic's temperature has the same range."""
