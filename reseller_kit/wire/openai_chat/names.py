"""The tools that a chat caller offered, by the names under which its answer calls them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from ..codec import Call
from ..conversation import ToolCall, ToolNames
from ..custom_tools import unwrap
from ..json_body import is_given


class _Named(Struct):
    name: str = ""


class _Tool(Struct):
    function: _Named | None = None
    custom: _Named | None = None


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])
_FUNCTIONS: Final = msgspec.json.Decoder(list[_Named])


def is_legacy(call: Call) -> bool:
    """Whether the caller knows only functions, the form before tools."""
    return is_given(call.fields.get("functions")) and not is_given(call.fields.get("tools"))


class CallerTools:
    """Names as the caller knows them, and which of its tools take free text.

    Built from a request that `to_conversation` has read, so that nothing in it is malformed.
    """

    def __init__(self, call: Call) -> None:
        tools = _TOOLS.decode(call.fields["tools"]) if is_given(call.fields.get("tools")) else []
        functions = _FUNCTIONS.decode(call.fields["functions"]) if is_given(call.fields.get("functions")) else []
        self._custom = {tool.custom.name for tool in tools if tool.custom is not None}
        named = [tool.custom or tool.function for tool in tools]
        self._names = ToolNames([tool.name for tool in (*named, *functions) if tool is not None])

    def original(self, name: str) -> str:
        """The caller's name of a tool that the upstream called."""
        return self._names.original(name)

    def is_custom(self, name: str) -> bool:
        """Whether the caller's tool of that name takes free text."""
        return name in self._custom

    def written(self, call: ToolCall) -> dict[str, Any]:
        """A whole call as a member of `tool_calls`."""
        name = self.original(call.name)
        if self.is_custom(name):
            text = call.arguments if call.custom else unwrap(call.arguments)
            return {"id": call.id, "type": "custom", "custom": {"name": name, "input": text}}
        return {"id": call.id, "type": "function", "function": {"name": name, "arguments": call.arguments or "{}"}}
