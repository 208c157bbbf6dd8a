"""Contents of a request as turns of the intermediate form: pairs results of functions with their calls."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.errors import InvalidRequest
from ..conversation import Media, Part, Reasoning, Role, Text, ToolCall, ToolResult, Turn
from ..json_body import NULL, is_given
from . import contents as wire
from .thoughts import SKIP, marked

_ROLES: Final[dict[str, Role]] = {"user": "user", "function": "user", "tool": "user", "model": "assistant", "": "user"}
_SPOKEN: Final = ("output", "result", "content")
"""Members of a result that hold it where they are its only one, by the API's documentation and its clients' use."""
_ANY: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()


class Reader:
    """Collects contents into turns. Ids are optional in this API: without one, name and order pair them."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        self._turns: list[Turn] = []
        self._open: list[tuple[str, str]] = []
        """Calls without a result so far, as (id, name)."""
        self._count = 0

    def system(self, content: wire.Content) -> None:
        """The system's words, before all turns. Raises InvalidRequest for anything but text."""
        parts = [self._part(part, f"systemInstruction.parts[{place}]") for place, part in enumerate(content.held)]
        if any(not isinstance(part, Text) for part in parts if part is not None):
            raise InvalidRequest("A system instruction is text only.", param="systemInstruction")
        self._add("system", [part for part in parts if part is not None])

    def contents(self, contents: list[wire.Content]) -> None:
        """All turns in order. Raises InvalidRequest, with the place as `param`, for what can't be held."""
        for index, content in enumerate(contents):
            role = _ROLES.get(content.role or "")
            if role is None:
                raise InvalidRequest('A role is "user" or "model".', param=f"contents[{index}].role")
            parts = []
            for place, part in enumerate(content.held):
                at = f"contents[{index}].parts[{place}]"
                parts += self._call(part, at) if part.call is not None else self._others(part, role, at)
            self._add(role, parts)

    def done(self) -> tuple[Turn, ...]:
        """The turns. Raises InvalidRequest if there is nothing to answer in them."""
        if not any(turn.role != "system" for turn in self._turns):
            raise InvalidRequest("The contents hold nothing to answer.", param="contents")
        return tuple(self._turns)

    def _add(self, role: Role, parts: list[Part]) -> None:
        """At the end; results before everything else in their turn, and turns of one role in a row as one."""
        if not parts:
            return
        if self._turns and self._turns[-1].role == role:
            parts = [*self._turns.pop().parts, *parts]
        if role == "user":
            parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
        self._turns.append(Turn(role=role, parts=tuple(parts)))

    def _others(self, part: wire.Part, role: Role, at: str) -> list[Part]:
        if part.result is not None:
            if role != "user":
                raise InvalidRequest(f"{at}: what a function answers is in a user's turn.", param=at)
            return [self._result(part.result, at)]
        if part.thought and role == "assistant":
            return _thought(part)
        found = self._part(part, at)
        signed = _thought(wire.Part(thought_signature=part.signature)) if role == "assistant" else []
        return [*([] if found is None else [found]), *signed]

    def _part(self, part: wire.Part, at: str) -> Text | Media | None:
        if part.text is not None:
            return Text(text=part.text) if part.text else None
        if part.blob is not None:
            return Media(
                kind=wire.kind_of(part.blob.media_type),
                media_type=part.blob.media_type or None,
                data=part.blob.base64,
            )
        if part.file is not None:
            kind = wire.kind_of(part.file.media_type, part.file.uri)
            return Media(kind=kind, media_type=part.file.media_type or None, url=part.file.uri)
        if not part.signature:
            self.left_out.append(at)
        return None

    def _call(self, part: wire.Part, at: str) -> list[Part]:
        call = part.call
        if call is None or not call.name:
            raise InvalidRequest(f"{at}: a functionCall needs a name.", param=at)
        self._count += 1
        call_id = call.id or f"call_{self._count}"
        self._open.append((call_id, call.name))
        arguments = bytes(call.args).decode() if is_given(call.args) else "{}"
        signature = marked(part.signature) if part.signature not in {None, "", SKIP} else None
        return [ToolCall(id=call_id, name=call.name, arguments=arguments, signature=signature)]

    def _result(self, result: wire.FunctionResponse, at: str) -> ToolResult:
        found = next((known for known in self._open if known[0] == result.id), None) or next(
            (known for known in self._open if known[1] == result.name), None
        )
        if found is None:
            raise InvalidRequest(
                f"{at}: a functionResponse has to follow the functionCall that it answers; "
                f"none of {result.name[:80]!r} is open.",
                param=at,
            )
        self._open.remove(found)
        content, is_error = _answered(result)
        media = [self._part(inner, f"{at}.functionResponse.parts") for inner in result.parts or ()]
        return ToolResult(
            call_id=found[0],
            name=found[1],
            content=(*content, *(piece for piece in media if piece is not None)),
            is_error=is_error,
        )


def _thought(part: wire.Part) -> list[Part]:
    signature = marked(part.signature) if part.signature not in {None, "", SKIP} else None
    text = part.text or ""
    if not text and not signature:
        return []
    return [Reasoning(text=text, signature=signature, redacted=not text)]


def _answered(result: wire.FunctionResponse) -> tuple[list[Text], bool]:
    """The words of a result, and whether they tell of an error."""
    found: Any = None if result.response is NULL else _ANY.decode(result.response)
    if found is None or found == {}:
        return [], False
    if isinstance(found, dict):
        members = {name: value for name, value in found.items() if not (name == "name" and value == result.name)}
        if len(members) == 1:
            ((name, value),) = members.items()
            if name in _SPOKEN and isinstance(value, str):
                return ([Text(text=value)] if value else []), False
            if name == "error":
                return [Text(text=value if isinstance(value, str) else _ENCODER.encode(value).decode())], True
    return [Text(text=found if isinstance(found, str) else bytes(result.response).decode())], False
