"""Contents of a generateContent request: their parts as they are read here, under either spelling of their names.

Source: Gemini API reference, "Content" and "Part".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from ...core.errors import InvalidRequest
from ..json_body import NULL, decode_as, is_given
from ..media import Kind, Medium

_PUBLIC: Final = re.compile(r"https?://(?![^/?#]*googleapis)[a-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#].*)?", re.IGNORECASE)
_FILM_HOSTS: Final = re.compile(r"https?://(?:www\.|m\.)?(?:youtube\.com|youtu\.be)/", re.IGNORECASE)
_URL_SAFE: Final = str.maketrans("-_", "+/")


class Blob(Struct, rename="camel"):
    """Inline data in base64."""

    data: str = ""
    mime_type: str | None = None
    mime_type_: str | None = field(name="mime_type", default=None)

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; empty if none was given."""
        return plain_type(self.mime_type or self.mime_type_)

    @property
    def base64(self) -> str:
        """The data in the common alphabet; some clients send the one that is safe in URLs."""
        data = self.data
        if "-" in data or "_" in data:
            data = data.translate(_URL_SAFE)
        return data + "=" * (-len(data) % 4)


class File(Struct, rename="camel"):
    """Data that is named by an address."""

    file_uri: str | None = None
    file_uri_: str | None = field(name="file_uri", default=None)
    mime_type: str | None = None
    mime_type_: str | None = field(name="mime_type", default=None)

    @property
    def uri(self) -> str:
        """The address."""
        return self.file_uri or self.file_uri_ or ""

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; empty if none was given."""
        return plain_type(self.mime_type or self.mime_type_)


class FunctionCall(Struct):
    """A call of a function; `args`: an object."""

    name: str = ""
    id: str | None = None
    args: Raw = NULL


class FunctionResponse(Struct):
    """What a function answered; `response`: an object, `parts`: media beside it."""

    name: str = ""
    id: str | None = None
    response: Raw = NULL
    parts: list[Part] | None = None


class Part(Struct, rename="camel"):
    """One part; exactly one of its contents is there. Read it by its properties."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    thought_signature_: str | None = field(name="thought_signature", default=None)
    inline_data: Blob | None = None
    inline_data_: Blob | None = field(name="inline_data", default=None)
    file_data: File | None = None
    file_data_: File | None = field(name="file_data", default=None)
    function_call: FunctionCall | None = None
    function_call_: FunctionCall | None = field(name="function_call", default=None)
    function_response: FunctionResponse | None = None
    function_response_: FunctionResponse | None = field(name="function_response", default=None)

    @property
    def blob(self) -> Blob | None:
        """Inline data."""
        return self.inline_data or self.inline_data_

    @property
    def file(self) -> File | None:
        """Data at an address."""
        return self.file_data or self.file_data_

    @property
    def call(self) -> FunctionCall | None:
        """A call of a function."""
        return self.function_call or self.function_call_

    @property
    def result(self) -> FunctionResponse | None:
        """What a function answered."""
        return self.function_response or self.function_response_

    @property
    def signature(self) -> str | None:
        """The maker's signature."""
        return self.thought_signature or self.thought_signature_


class Content(Struct):
    """One turn. A single part may stand for a list of one."""

    parts: list[Part] | Part | None = None
    role: str | None = None

    @property
    def held(self) -> list[Part]:
        """The parts as a list."""
        if self.parts is None:
            return []
        return self.parts if isinstance(self.parts, list) else [self.parts]


_CONTENTS: Final = msgspec.json.Decoder(list[Content] | Content)
_SYSTEM: Final = msgspec.json.Decoder(Content | str)
_RAW_CONTENT: Final = msgspec.json.Decoder(dict[str, Any])


def contents_of(raw: Raw) -> list[Content]:
    """The turns. Raises InvalidRequest for what is malformed, and for files that belong to an account."""
    contents = decode_as(_CONTENTS, raw, within="contents")
    contents = contents if isinstance(contents, list) else [contents]
    for index, content in enumerate(contents):
        for place, part in enumerate(content.held):
            _check_files(part, f"contents[{index}].parts[{place}]")
    return contents


def system_of(raw: Raw | None) -> Content:
    """The system's words; of no parts if there are none. Raises InvalidRequest for what is malformed."""
    if raw is None or not is_given(raw):
        return Content()
    found = decode_as(_SYSTEM, raw, within="systemInstruction")
    return Content(parts=[Part(text=found)]) if isinstance(found, str) else found


def media_of(contents: list[Content]) -> Iterator[Medium]:
    """The media of all turns, those within results of functions included."""
    for content in contents:
        for part in content.held:
            yield from _media_in(part)


def kind_of(media_type: str, uri: str = "") -> Kind:
    """The kind of a medium by its type, or else by where it is."""
    kind = media_type.partition("/")[0]
    if kind == "image":
        return "image"
    if kind == "audio":
        return "audio"
    return "video" if kind == "video" or (not kind and _FILM_HOSTS.match(uri)) else "document"


def plain_type(media_type: str | None) -> str:
    """A media type in lower case, without parameters."""
    return (media_type or "").partition(";")[0].strip().lower()


def _media_in(part: Part) -> Iterator[Medium]:
    if part.blob is not None:
        yield Medium(kind_of(part.blob.media_type), part.blob.base64)
    if part.file is not None:
        yield Medium(kind_of(part.file.media_type, part.file.uri))
    if part.result is not None:
        for inner in part.result.parts or ():
            yield from _media_in(inner)


def _check_files(part: Part, at: str) -> None:
    for file in (part.file_data, part.file_data_):
        if file is None:
            continue
        if (
            not all(_PUBLIC.fullmatch(uri) for uri in (file.file_uri, file.file_uri_) if uri is not None)
            or not file.uri
        ):
            raise InvalidRequest(
                "Stored files belong to an account elsewhere. Send the data inline, or a public URL.",
                param=f"{at}.fileData",
            )
    for result in (part.function_response, part.function_response_):
        for place, inner in enumerate((result.parts if result else None) or ()):
            _check_files(inner, f"{at}.functionResponse.parts[{place}]")
