"""The tools that a caller of Responses offered, by the names under which an upstream of another API calls them."""

from __future__ import annotations

from msgspec import Struct

from ..codec import Call
from ..conversation import ToolNames
from .input import items_of
from .tools import Tool, joined, tools_of


class CalledName(Struct, frozen=True):
    """A tool as its caller knows it; `custom`: it takes free text."""

    namespace: str | None
    name: str
    custom: bool


class CallerTools:
    """Built from a request that `to_conversation` has read, so that nothing in it is malformed."""

    def __init__(self, call: Call) -> None:
        self._known: dict[str, CalledName] = {}
        offered = tools_of(call.fields)
        for item in items_of(call.fields["input"]):
            if item.type == "additional_tools":
                offered += item.tools or ()
        for tool in offered:
            self._add(tool, None)
        self._names = ToolNames(self._known)

    def _add(self, tool: Tool, namespace: str | None) -> None:
        if tool.type == "namespace":
            for inner in tool.tools or ():
                self._add(inner, tool.name)
        elif tool.name:
            self._known[joined(namespace, tool.name)] = CalledName(namespace, tool.name, tool.type == "custom")

    def original(self, called: str) -> CalledName:
        """The caller's tool that an upstream called."""
        name = self._names.original(called)
        return self._known.get(name) or CalledName(None, name, custom=False)
