"""The tools that a messages request offers: which of them the provider runs at a price. Calls none.

Source: Anthropic API reference, the pages of the tools.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Raw

from ...core.errors import InvalidRequest
from ..json_body import decode_as
from .head import OF_ITS_OWN, PLAIN_TOOLS, SEARCHES, TOOL_SEARCH, WEB_SEARCH, Tool

_TOOLS: Final = msgspec.json.Decoder(list[Tool] | None)


class FreeTools:
    """Lists that were found to cost nothing beyond tokens, to know them again.

    An agent sends the same long list with every request. Lists are compared byte for byte, one of each length is
    kept, and no more than `most`; short ones are read sooner than compared, and long ones would take too much memory.
    """

    def __init__(self, *, most: int = 64, shortest: int = 4 * 1024, longest: int = 128 * 1024) -> None:
        self._most, self._sizes = most, range(shortest, longest + 1)
        self._known: OrderedDict[int, Raw] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, tools: Raw) -> bool:
        return self._known.get(len(tools)) == tools

    def add(self, tools: Raw) -> None:
        """Know this list from now on."""
        size = len(tools)
        if size in self._sizes:
            # What was decoded is a view of the whole request.
            self._known[size] = tools.copy()
            self._known.move_to_end(size)
            if len(self._known) > self._most:
                self._known.popitem(last=False)


_FREE: Final = FreeTools()


def searches_of(tools: Raw | None) -> int:
    """Web searches that the request may lead to.

    Raises InvalidRequest for what is no list of tools, and for a tool that the provider runs at a price that isn't
    known here.
    """
    if tools is None:
        return 0
    if tools in _FREE:
        return 0
    searches = _counted(decode_as(_TOOLS, tools, within="tools") or [])
    if not searches:
        _FREE.add(tools)
    return searches


def _counted(tools: list[Tool]) -> int:
    searches = 0
    for index, tool in enumerate(tools):
        if tool.type is None or tool.type in PLAIN_TOOLS or tool.type.startswith((*OF_ITS_OWN, TOOL_SEARCH)):
            continue
        if not tool.type.startswith(WEB_SEARCH):
            raise InvalidRequest(
                f"Tools of the type {tool.type[:80]!r} are not offered here.", param=f"tools[{index}].type"
            )
        searches += tool.max_uses or SEARCHES
    return searches
