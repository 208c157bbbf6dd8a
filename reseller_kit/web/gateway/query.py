"""Values of query strings, checked."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs

from ...core.errors import InvalidRequest

_DIGITS: Final = re.compile(r"[0-9]{1,4}")


def last_of(query: bytes, *names: str) -> dict[str, str | None]:
    """The last value of each name, None where there is none. Raises InvalidRequest for a malformed query string."""
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=20)
    except ValueError:
        raise InvalidRequest("The query string is malformed.") from None
    return {name: given[name][-1] if name in given else None for name in names}


def number_of(text: str | None, name: str, *, default: int, most: int) -> int:
    """A number from 1 to `most`; `default` for none. Raises InvalidRequest for anything else."""
    if text is None:
        return default
    if not (_DIGITS.fullmatch(text) and 1 <= int(text) <= most):
        raise InvalidRequest(f"{name} must be a number from 1 to {most}.", param=name)
    return int(text)
