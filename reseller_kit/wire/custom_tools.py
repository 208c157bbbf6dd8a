"""Tools that take free text, for upstreams that know only functions. Keeps no state.

Such a tool becomes a function with one string, `input`; what the model calls it with is unwrapped again. A grammar that
the text has to match goes into the description, since a function can't enforce it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, structs

from .conversation import Tool

_PARAMETERS: Final = Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The whole free-form input of the tool."}},'
    b'"required":["input"],"additionalProperties":false}'
)


class _Arguments(msgspec.Struct):
    input: str


_ARGUMENTS: Final = msgspec.json.Decoder(_Arguments)
_ENCODER: Final = msgspec.json.Encoder()


def as_function(tool: Tool) -> Tool:
    """The tool as a function of one string; a tool that is a function already stays as it is."""
    if not tool.custom:
        return tool
    description = tool.description or ""
    if tool.grammar:
        description += f"\n\nThe input has to match this grammar:\n{tool.grammar}"
    return structs.replace(
        tool, description=description.strip() or None, parameters=_PARAMETERS, strict=None, custom=False, grammar=None
    )


def wrap(text: str) -> str:
    """Free text as the JSON arguments of such a function."""
    return _ENCODER.encode({"input": text}).decode()


def unwrap(arguments: str) -> str:
    """The free text within such arguments; arguments of any other form are taken for the text itself."""
    try:
        return _ARGUMENTS.decode(arguments).input
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return arguments
