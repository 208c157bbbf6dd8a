"""What the upstreams' own counters of input answer. Knows no API."""

from __future__ import annotations

from typing import Final

import msgspec

from ..core.errors import UpstreamFailed

_MEMBERS: Final = msgspec.json.Decoder(dict[str, object])


def read_tokens(body: bytes, name: str, *, absent: int | None = None) -> int:
    """The count in this member of an answer; `absent` where it is left out. Raises UpstreamFailed for anything else."""
    try:
        found = _MEMBERS.decode(body).get(name, absent)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        found = None
    if type(found) is not int or found < 0:
        raise UpstreamFailed("not a token count", upstream_status=200)
    return found
