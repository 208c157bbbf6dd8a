"""The messages of a chat request as turns of the intermediate form."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct, structs

from ...core.errors import InvalidRequest
from ..conversation import Media, Part, Reasoning, Role, Text, ToolCall, ToolResult, Turn
from ..data_url import media_of
from ..json_body import decode_as
from .options import CacheControl

AUDIO_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg"}
"""Names of formats in this dialect, and the media types they stand for."""
DEFAULT_DOCUMENT_TYPE: Final = "application/pdf"


class _Url(Struct):
    url: str
    detail: str | None = None


class _Audio(Struct):
    data: str
    format: str = "wav"


class _File(Struct):
    file_data: str | None = None
    filename: str | None = None


class _Part(Struct):
    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    image_url: str | _Url | None = None
    video_url: str | _Url | None = None
    input_audio: _Audio | None = None
    file: _File | None = None
    cache_control: CacheControl | None = None


class _Called(Struct):
    name: str
    arguments: str = ""


class _CustomCalled(Struct):
    name: str
    input: str = ""


class _ToolCall(Struct):
    id: str
    function: _Called | None = None
    custom: _CustomCalled | None = None


class _ReasoningDetail(Struct):
    """One of `reasoning_details`, in which answers show signatures."""

    type: str = ""
    text: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Called | None = None
    tool_call_id: str | None = None
    name: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[_ReasoningDetail] | None = None
    audio: Raw | None = None
    cache_control: CacheControl | None = None


_MESSAGES: Final = msgspec.json.Decoder(list[_Message])
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "user": "user"}


def read_messages(messages: Raw) -> tuple[Turn, ...]:
    """The turns of a chat. Raises InvalidRequest, with the place as `param`, for what is malformed or can't be held."""
    reader = _Reader()
    found = decode_as(_MESSAGES, messages, within="messages")
    for index, message in enumerate(found):
        reader.read(message, f"messages[{index}]")
    if not reader.turns:
        raise InvalidRequest("messages: there is nothing in any message.", param="messages")
    return tuple(reader.turns)


class _Reader:
    """Collects turns; remembers the calls so that results find their names."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._names: dict[str, str] = {}
        self._legacy_calls = 0

    def read(self, message: _Message, at: str) -> None:
        role = message.role
        if role == "assistant":
            parts = self._assistant_parts(message, at)
            self._add("assistant", _marked(parts, message.cache_control))
        elif role in ("tool", "function"):
            self._add_result(self._result_of(message, at))
        elif role in _ROLES:
            parts = list(_content_parts(message.content, at))
            if role != "user" and any(not isinstance(part, Text) for part in parts):
                raise InvalidRequest(f"{at}.content: a message of this role is text only.", param=f"{at}.content")
            self._add(_ROLES[role], _marked(parts, message.cache_control))
        else:
            raise InvalidRequest(f"{at}.role: {role[:40]!r} is no role.", param=f"{at}.role")

    def _add(self, role: Role, parts: list[Part]) -> None:
        if not parts:
            return
        last = self.turns[-1] if self.turns else None
        if role == "user" and last is not None and last.role == "user" and _only_results(last):
            self.turns[-1] = Turn(role="user", parts=(*last.parts, *parts))
        else:
            self.turns.append(Turn(role=role, parts=tuple(parts)))

    def _add_result(self, result: ToolResult) -> None:
        last = self.turns[-1] if self.turns else None
        if last is not None and last.role == "user" and _only_results(last):
            self.turns[-1] = Turn(role="user", parts=(*last.parts, result))
        else:
            self.turns.append(Turn(role="user", parts=(result,)))

    def _assistant_parts(self, message: _Message, at: str) -> list[Part]:
        if message.audio is not None and bytes(message.audio) != b"null":
            raise InvalidRequest(f"{at}.audio: spoken answers of earlier turns can't be sent.", param=f"{at}.audio")
        calls = self._calls_of(message, at)
        parts = _reasoning_of(message, {call.id for call in calls})
        parts += _content_parts(message.content, at)
        if message.refusal:
            parts.append(Text(text=message.refusal, refusal=True))
        signatures = {detail.id: detail.data for detail in message.reasoning_details or () if detail.id}
        parts += [structs.replace(call, signature=signatures.get(call.id)) for call in calls]
        return parts

    def _calls_of(self, message: _Message, at: str) -> list[ToolCall]:
        calls = []
        for index, call in enumerate(message.tool_calls or ()):
            if call.function is not None:
                calls.append(ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments))
            elif call.custom is not None:
                calls.append(ToolCall(id=call.id, name=call.custom.name, arguments=call.custom.input, custom=True))
            else:
                raise InvalidRequest(f"{at}.tool_calls[{index}]: no function is named.", param=f"{at}.tool_calls")
        if message.function_call is not None:
            self._legacy_calls += 1
            called = message.function_call
            calls.append(ToolCall(id=self._legacy_id, name=called.name, arguments=called.arguments))
        self._names.update((call.id, call.name) for call in calls)
        return calls

    @property
    def _legacy_id(self) -> str:
        return f"call_{self._legacy_calls}"

    def _result_of(self, message: _Message, at: str) -> ToolResult:
        call_id = message.tool_call_id if message.role == "tool" else self._legacy_id
        if call_id not in self._names:
            raise InvalidRequest(
                f"{at}: a result has to follow the call that it answers; no earlier message calls {call_id!r}.",
                param=f"{at}.tool_call_id",
            )
        parts = _content_parts(message.content, at)
        content = [part for part in parts if isinstance(part, Text | Media)]
        hint = message.cache_control.hint if message.cache_control else None
        return ToolResult(call_id=call_id, name=self._names[call_id], content=tuple(content), cache=hint)


def _only_results(turn: Turn) -> bool:
    return all(isinstance(part, ToolResult) for part in turn.parts)


def _marked(parts: list[Part], control: CacheControl | None) -> list[Part]:
    """A marker on the whole message stands for one on its last part."""
    if control is None or not parts or isinstance(parts[-1], Reasoning):
        return parts
    return [*parts[:-1], structs.replace(parts[-1], cache=control.hint)]


def _reasoning_of(message: _Message, call_ids: set[str]) -> list[Part]:
    """Thoughts, with signatures where the client kept them; those of tool calls are not among them."""
    details = [detail for detail in message.reasoning_details or () if detail.id not in call_ids]
    signed = [
        Reasoning(text=detail.text or "", signature=detail.signature or detail.data, redacted=detail.data is not None)
        for detail in details
        if detail.signature or detail.data
    ]
    text = message.reasoning_content or message.reasoning or ""
    return [*signed] if signed else [Reasoning(text=text)] if text else []


def _content_parts(content: str | list[_Part] | None, at: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    parts = []
    for index, part in enumerate(content or ()):
        found = _part_of(part, f"{at}.content[{index}]")
        if found is not None:
            hint = part.cache_control.hint if part.cache_control else None
            parts.append(structs.replace(found, cache=hint) if hint else found)
    return [*parts]


def _part_of(part: _Part, at: str) -> Text | Media | None:
    if part.type == "text" and part.text is not None:
        return Text(text=part.text) if part.text else None
    if part.type == "refusal" and part.refusal is not None:
        return Text(text=part.refusal, refusal=True) if part.refusal else None
    if part.type == "image_url" and part.image_url is not None:
        image = part.image_url if isinstance(part.image_url, _Url) else _Url(url=part.image_url)
        return media_of("image", image.url, param=f"{at}.image_url", detail=image.detail)
    if part.type == "video_url" and part.video_url is not None:
        address = part.video_url if isinstance(part.video_url, str) else part.video_url.url
        return media_of("video", address, param=f"{at}.video_url")
    if part.type == "input_audio" and part.input_audio is not None:
        return _audio_of(part.input_audio, at)
    if part.type == "file" and part.file is not None and part.file.file_data:
        return _document_of(part.file, at)
    raise InvalidRequest(f"{at}: a part of type {part.type[:40]!r} can't be read here.", param=at)


def _audio_of(audio: _Audio, at: str) -> Media:
    media_type = AUDIO_TYPES.get(audio.format)
    if media_type is None:
        raise InvalidRequest(
            f"{at}.input_audio.format: {audio.format[:40]!r} is not one of {', '.join(AUDIO_TYPES)}.",
            param=f"{at}.input_audio.format",
        )
    return Media(kind="audio", media_type=media_type, data=audio.data)


def _document_of(file: _File, at: str) -> Media:
    data = file.file_data or ""
    if data[:5].lower() == "data:" or "://" in data[:16]:
        media = media_of("document", data, param=f"{at}.file.file_data", name=file.filename)
        return structs.replace(media, media_type=media.media_type or DEFAULT_DOCUMENT_TYPE) if media.data else media
    return Media(kind="document", media_type=DEFAULT_DOCUMENT_TYPE, data=data, name=file.filename)
