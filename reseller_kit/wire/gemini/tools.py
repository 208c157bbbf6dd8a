"""The tools of a generateContent request: which of them the caller runs itself.

Tools that run at the provider cost more than tokens. Where they are merely offered they are left out; a request that
depends on one is refused. Source: Gemini API reference, "Tool" and "ToolConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from ...core.errors import InvalidRequest
from ..json_body import NULL, decode_as, is_given
from .head import camel

_OWN: Final = frozenset({"functionDeclarations", "computerUse"})
DECLARATIONS: Final = ("functionDeclarations", "function_declarations")
COMPUTER: Final = ("computerUse", "computer_use")


_MODES: Final = {0: None, 1: "AUTO", 2: "ANY", 3: "NONE", 4: "VALIDATED"}


class Calling(Struct, rename="camel"):
    """Whether functions are to be called, and which."""

    given_mode: str | int | None = field(name="mode", default=None)
    allowed_function_names: list[str] | None = None
    allowed_function_names_: list[str] | None = field(name="allowed_function_names", default=None)

    @property
    def mode(self) -> str | None:
        """The mode by its name; ProtoJSON takes its number as well."""
        return (
            _MODES.get(self.given_mode, str(self.given_mode)) if isinstance(self.given_mode, int) else self.given_mode
        )

    @property
    def allowed(self) -> list[str]:
        """The functions that may be called; empty for all."""
        return self.allowed_function_names or self.allowed_function_names_ or []


class _ToolConfig(Struct, rename="camel"):
    function_calling_config: Calling | None = None
    function_calling_config_: Calling | None = field(name="function_calling_config", default=None)


_TOOLS: Final = msgspec.json.Decoder(list[dict[str, Raw]] | dict[str, Raw])
_TOOL_CONFIG: Final = msgspec.json.Decoder(_ToolConfig)


def tools_of(fields: Mapping[str, Raw]) -> list[dict[str, Raw]]:
    """The tools as they are offered. Raises InvalidRequest for what is malformed."""
    given = fields.get("tools")
    if given is None:
        return []
    tools = decode_as(_TOOLS, given, within="tools")
    return tools if isinstance(tools, list) else [tools]


def calling_of(fields: Mapping[str, Raw]) -> Calling:
    """How functions are to be called. Raises InvalidRequest for what is malformed."""
    config = decode_as(_TOOL_CONFIG, fields.get("toolConfig", _NONE), within="toolConfig")
    return config.function_calling_config or config.function_calling_config_ or Calling()


_NONE: Final = Raw(b"{}")


def hosted_of(fields: Mapping[str, Raw]) -> tuple[str, ...]:
    """The tools that are offered but run elsewhere, as paths.

    Raises InvalidRequest where a call is forced and there is no other tool.
    """
    tools = tools_of(fields)
    hosted = [(index, name) for index, tool in enumerate(tools) for name in tool if not _is_own(tool, name)]
    if hosted and calling_of(fields).mode == "ANY" and not any(map(_own_members, tools)):
        index, name = hosted[0]
        raise InvalidRequest(
            f"{name[:40]!r} can't be used here: only functions that you run yourself can.",
            param=f"tools[{index}].{name[:40]}",
        )
    return tuple(f"tools[{index}].{name[:40]}" for index, name in hosted)


def own_tools(fields: Mapping[str, Raw]) -> list[dict[str, Raw]]:
    """The tools without those that run elsewhere."""
    return [own for tool in tools_of(fields) if (own := _own_members(tool))]


def member(given: Mapping[str, Raw], names: tuple[str, str]) -> Raw:
    """A member under either of its two spellings; null if it is not there."""
    first = given.get(names[0], NULL)
    return first if is_given(first) else given.get(names[1], NULL)


def _own_members(tool: dict[str, Raw]) -> dict[str, Raw]:
    return {name: value for name, value in tool.items() if camel(name) in _OWN}


def _is_own(tool: dict[str, Raw], name: str) -> bool:
    return camel(name) in _OWN or not is_given(tool[name])
