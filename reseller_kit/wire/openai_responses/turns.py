"""The input of a Responses request as turns of the intermediate form."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, structs

from ...core.errors import InvalidRequest
from ..conversation import Media, Part, Reasoning, Role, Text, ToolCall, ToolResult, Turn
from ..data_url import media_of
from ..json_body import NULL, decode_as
from .tools import Tool, joined

_AUDIO_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_DOCUMENT_TYPE: Final = "application/pdf"
_ROLES: Final[dict[str, Role]] = {
    "assistant": "assistant",
    "developer": "system",
    "system": "system",
    "user": "user",
}


class _Audio(Struct):
    data: str
    format: str = "wav"


class _Url(Struct):
    url: str


class _Part(Struct):
    type: str = "input_text"
    text: str | None = None
    refusal: str | None = None
    image_url: str | _Url | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: _Audio | None = None


class _Thought(Struct):
    text: str = ""


class _Item(Struct):
    """One input item; what is not of its type stays None."""

    type: str | None = None
    role: str | None = None
    content: Raw = NULL
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Raw = NULL
    input: str | None = None
    output: Any = None
    summary: list[_Thought] | None = None
    encrypted_content: str | None = None
    tools: list[Tool] | None = None


_INPUT: Final = msgspec.json.Decoder(str | list[_Item])
_CONTENT: Final = msgspec.json.Decoder(str | list[_Part] | None)
_THOUGHTS: Final = msgspec.json.Decoder(list[_Thought] | None)
_TEXT: Final = msgspec.json.Decoder(str | None)
_PARTS: Final = list[_Part]


class Input(Struct, frozen=True):
    """What the input holds: turns, tools that are offered within it, and what was left out, as paths."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...]
    left_out: tuple[str, ...]


def read_input(given: Raw, instructions: str | None) -> Input:
    """The turns of a request. Raises InvalidRequest, with the place as `param`, for what can't be held."""
    reader = _Reader()
    if instructions:
        reader.add("system", [Text(text=instructions)])
    items = decode_as(_INPUT, given, within="input")
    if isinstance(items, str):
        reader.add("user", [Text(text=items)] if items else [])
    else:
        for index, item in enumerate(items):
            reader.read(item, f"input[{index}]")
    if not any(turn.role != "system" for turn in reader.turns):
        raise InvalidRequest("input: there is nothing to answer in it.", param="input")
    return Input(tuple(reader.turns), tuple(reader.tools), tuple(reader.left_out))


class _Reader:
    """Collects items into turns: what the assistant did in a row is one, and so are results with what follows them."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.tools: list[Tool] = []
        self.left_out: list[str] = []
        self._names: dict[str, str] = {}

    def read(self, item: _Item, at: str) -> None:
        kind = item.type or "message"
        if kind == "message":
            self._message(item, at)
        elif kind in ("function_call", "custom_tool_call"):
            self.add("assistant", [self._call(item, at, custom=kind == "custom_tool_call")])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._result(item, at)
        elif kind == "reasoning":
            self.add("assistant", _reasoning(item, at))
        elif kind == "additional_tools":
            self.tools += item.tools or ()
        elif kind == "item_reference":
            raise InvalidRequest("Earlier items are not kept here. Send them whole as input.", param=at)
        elif kind in ("compaction", "context_compaction"):
            raise InvalidRequest(
                f"{at}: this model can't read a conversation that was compacted by another. Begin a new one.", param=at
            )
        else:
            self.left_out.append(f"{at} ({kind[:40]})")

    def add(self, role: Role, parts: list[Part]) -> None:
        """Put parts at the end, into the last turn where they belong to it."""
        if not parts:
            return
        last = self.turns[-1] if self.turns else None
        continues = last is not None and (
            (role == last.role == "assistant") or (role == last.role == "user" and _only_results(last))
        )
        if last is not None and continues:
            self.turns[-1] = Turn(role=role, parts=(*last.parts, *parts))
        else:
            self.turns.append(Turn(role=role, parts=tuple(parts)))

    def _message(self, item: _Item, at: str) -> None:
        role = _ROLES.get(item.role or "")
        if role is None:
            raise InvalidRequest(f"{at}.role: {(item.role or '')[:40]!r} is no role.", param=f"{at}.role")
        content = decode_as(_CONTENT, item.content, within=f"{at}.content")
        parts = _content(content, f"{at}.content")
        if role != "user" and any(not isinstance(part, Text) for part in parts):
            raise InvalidRequest(f"{at}.content: a message of this role is text only.", param=f"{at}.content")
        self.add(role, [*parts])

    def _call(self, item: _Item, at: str, *, custom: bool) -> ToolCall:
        if not item.call_id or not item.name:
            raise InvalidRequest(f"{at}: a call needs a call_id and a name.", param=at)
        arguments = item.input if custom else decode_as(_TEXT, item.arguments, within=f"{at}.arguments")
        name = joined(item.namespace, item.name)
        self._names[item.call_id] = name
        return ToolCall(id=item.call_id, name=name, arguments=arguments or "", custom=custom)

    def _result(self, item: _Item, at: str) -> None:
        call_id = item.call_id or ""
        if call_id not in self._names:
            raise InvalidRequest(
                f"{at}: a result has to follow the call that it answers; no earlier item calls {call_id[:80]!r}.",
                param=f"{at}.call_id",
            )
        content = _content(_output(item.output, at), f"{at}.output")
        result = ToolResult(call_id=call_id, name=self._names[call_id], content=tuple(content))
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != "user":
            self.turns.append(Turn(role="user", parts=(result,)))
            return
        # Before what the user said meanwhile, which dialects that want the results at once can't do with.
        results = [part for part in last.parts if isinstance(part, ToolResult)]
        self.turns[-1] = Turn(role="user", parts=(*results, result, *last.parts[len(results) :]))


def _only_results(turn: Turn) -> bool:
    return all(isinstance(part, ToolResult) for part in turn.parts)


def _output(output: Any, at: str) -> str | list[_Part] | None:
    if output is None or isinstance(output, str):
        return output
    try:
        return msgspec.convert(output, _PARTS)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{at}.output: {error}", param=f"{at}.output") from None


def _reasoning(item: _Item, at: str) -> list[Part]:
    """Thoughts by their summary, or by their text where a model shows that; nothing if neither text nor signature."""
    thoughts = [thought.text for thought in item.summary or () if thought.text]
    if not thoughts:
        content = decode_as(_THOUGHTS, item.content, within=f"{at}.content")
        thoughts = [thought.text for thought in content or () if thought.text]
    signature = item.encrypted_content
    if not thoughts and not signature:
        return []
    return [Reasoning(text="\n\n".join(thoughts), signature=signature, redacted=not thoughts)]


def _content(content: str | list[_Part] | None, at: str) -> list[Text | Media]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    parts = [_part(part, f"{at}[{index}]") for index, part in enumerate(content or ())]
    return [part for part in parts if part is not None]


def _part(part: _Part, at: str) -> Text | Media | None:
    if part.type in ("input_text", "output_text", "text", "summary_text") and part.text is not None:
        return Text(text=part.text) if part.text else None
    if part.type == "refusal" and part.refusal is not None:
        return Text(text=part.refusal, refusal=True) if part.refusal else None
    if part.type == "input_image" and part.image_url is not None:
        address = part.image_url if isinstance(part.image_url, str) else part.image_url.url
        return media_of("image", address, param=f"{at}.image_url", detail=part.detail)
    if part.type == "input_file" and (part.file_data or part.file_url):
        return _document(part, at)
    if part.type == "input_audio" and part.input_audio is not None and part.input_audio.format in _AUDIO_TYPES:
        audio = part.input_audio
        return Media(kind="audio", media_type=_AUDIO_TYPES[audio.format], data=audio.data)
    raise InvalidRequest(f"{at}: a part of type {part.type[:40]!r} can't be read here.", param=at)


def _document(part: _Part, at: str) -> Media:
    if part.file_url:
        return media_of("document", part.file_url, param=f"{at}.file_url", name=part.filename)
    data = part.file_data or ""
    if data[:5].lower() != "data:":
        return Media(kind="document", media_type=_DOCUMENT_TYPE, data=data, name=part.filename)
    media = media_of("document", data, param=f"{at}.file_data", name=part.filename)
    return structs.replace(media, media_type=media.media_type or _DOCUMENT_TYPE)
