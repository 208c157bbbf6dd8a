"""The table of all endpoints of the management API, and how a path finds its own. Holds no handler itself."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from .abuse import ABUSE
from .customers import CUSTOMERS
from .endpoint import Endpoint
from .groups import GROUPS
from .orders import ORDERS
from .selling import SELLING
from .usage import USAGE
from .webhooks import WEBHOOKS

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*CUSTOMERS, *GROUPS, *ABUSE, *ORDERS, *SELLING, *USAGE, *WEBHOOKS)
_PARAMETER: Final = re.compile(r"\{([a-z]+)\}")


class Found(Struct, frozen=True):
    """What a path leads to, by method; `values`: of the parameters in it."""

    by_method: dict[str, Endpoint]
    values: dict[str, str]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]{1,254})", path))


def _by_method(path: str) -> dict[str, Endpoint]:
    return {one.method: one for one in ENDPOINTS if one.path == path}


_PATHS: Final = {
    path: (_pattern(path), _by_method(path))
    for path in sorted({one.path for one in ENDPOINTS}, key=lambda path: ("{" in path, path))
}
"""Paths without parameters come first: `/prices/changes` is no price."""


def find(path: str) -> Found | None:
    """The endpoints of a path below the API's base, None where there are none."""
    for pattern, by_method in _PATHS.values():
        match = pattern.fullmatch(path)
        if match is not None:
            return Found(by_method, match.groupdict())
    return None
