"""The tools of a Responses request: which of them the caller runs itself, and by what names an upstream calls them.

Tools that run at the provider cost more than tokens. Where they are merely offered they are left out; a request that
depends on one is refused. Tools in a namespace are called by a joined name where the upstream knows no namespaces.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..json_body import NULL, decode_as

_OWN: Final = frozenset(
    {
        "apply_patch",
        "computer",
        "computer_use_preview",
        "custom",
        "function",
        "local_shell",
        "namespace",
        "shell",
        "tool_search",
    }
)
"""Types of tools that the caller runs."""
_CALLED: Final = frozenset({"custom", "function"})
_ANY_TOOL: Final = frozenset({"auto", "none", "required"})


class Format(Struct):
    """What the free text of a custom tool has to match."""

    type: str = "text"
    definition: str | None = None


class _Environment(Struct):
    type: str = ""


class Tool(Struct):
    """One tool as it is offered; `tools`: those of a namespace."""

    type: str = "function"
    name: str | None = None
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    format: Format | None = None
    tools: list[Tool] | None = None
    environment: _Environment | None = None


class _Chosen(Struct):
    type: str = "function"
    name: str | None = None
    namespace: str | None = None


class Choice(Struct):
    """A tool choice that is more than a word."""

    type: str = "function"
    name: str | None = None
    namespace: str | None = None
    mode: str = "auto"
    tools: list[_Chosen] | None = None


_TOOLS: Final = msgspec.json.Decoder(list[Tool] | None)
_RAW_TOOLS: Final = msgspec.json.Decoder(list[Raw])
_CHOICE: Final = msgspec.json.Decoder(str | Choice | None)
_ENCODER: Final = msgspec.json.Encoder()


def tools_of(fields: dict[str, Raw]) -> list[Tool]:
    """The tools as they are offered. Raises InvalidRequest for what is malformed."""
    return decode_as(_TOOLS, fields.get("tools", NULL), within="tools") or []


def choice_of(fields: dict[str, Raw]) -> str | Choice | None:
    """The tool choice. Raises InvalidRequest for a word that is none."""
    choice: str | Choice | None = decode_as(_CHOICE, fields.get("tool_choice", NULL), within="tool_choice")
    if isinstance(choice, str) and choice not in _ANY_TOOL:
        raise InvalidRequest(f"tool_choice: {choice[:40]!r} is no choice.", param="tool_choice")
    return choice


def is_own(tool: Tool) -> bool:
    """Whether the caller runs it."""
    if tool.type == "shell":
        return tool.environment is not None and tool.environment.type == "local"
    if tool.type == "namespace":
        return all(inner.type in _CALLED for inner in tool.tools or ())
    return tool.type in _OWN


def hosted_of(tools: list[Tool], choice: str | Choice | None) -> tuple[str, ...]:
    """The tools that are offered but run elsewhere, as paths. Raises InvalidRequest where the request needs one."""
    hosted = [(index, tool) for index, tool in enumerate(tools) if not is_own(tool)]
    if not hosted:
        refuse_hosted_choice(choice)
        return ()
    index, tool = hosted[0]
    if choice == "required" and len(hosted) == len(tools):
        raise InvalidRequest(
            f"A tool of type {tool.type[:40]!r} can't be used here: only tools that you run yourself can.",
            param=f"tools[{index}].type",
        )
    refuse_hosted_choice(choice)
    return tuple(f"tools[{index}] ({tool.type[:40]})" for index, tool in hosted)


def refuse_hosted_choice(choice: str | Choice | None) -> None:
    """Raises InvalidRequest for a choice of a tool that runs elsewhere."""
    if isinstance(choice, Choice) and choice.type not in _OWN and choice.type != "allowed_tools":
        raise InvalidRequest(
            f"A tool of type {choice.type[:40]!r} can't be used here: only tools that you run yourself can.",
            param="tool_choice.type",
        )


def own_tools(tools: Raw) -> Raw:
    """The raw tools without those that run elsewhere."""
    offered = _TOOLS.decode(tools) or []
    return Raw(
        _ENCODER.encode([raw for raw, tool in zip(_RAW_TOOLS.decode(tools), offered, strict=True) if is_own(tool)])
    )


def joined(namespace: str | None, name: str) -> str:
    """The name of a tool in a namespace where there are no namespaces."""
    if not namespace:
        return name
    return namespace + ("" if namespace.endswith("__") else "__") + name


def name_of(tool: Tool, at: str) -> str:
    """The tool's name. Raises InvalidRequest for a tool without one."""
    if not tool.name or len(tool.name) > 256:
        raise InvalidRequest(f"{at}.name: a tool needs a name of 1 to 256 characters.", param=f"{at}.name")
    return tool.name
