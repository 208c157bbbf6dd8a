"""JSON objects from the network, top level only: refuses what could mean two things. Never decodes nested values.

Values stay raw bytes, so that what was checked is what is sent on. Grammar, escapes, surrogate pairs and nesting are
checked by msgspec over the whole body; UTF-8 and duplicate keys, which it lets pass in raw values, are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from ..core.errors import InvalidRequest

_T = TypeVar("_T")


class _Key(str):
    """A key equal to nothing but itself, so that a dict keeps its duplicates."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_PAIRS: Final = msgspec.json.Decoder(dict[_Key, Raw], dec_hook=type.__call__)
_ENCODER: Final = msgspec.json.Encoder()
_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]*)`")
NULL: Final = Raw(b"null")
_MAX_STRING_BYTES: Final = 128
_LARGE_BYTES: Final = 4 * 1024


def parse_object(body: bytes) -> dict[str, Raw]:
    """The top level of a JSON object: key → raw value.

    Raises InvalidRequest for anything but one well-formed UTF-8 object without duplicate keys (also such as are the
    same only after unescaping), including a body nested too deeply to be checked.
    """
    require_utf8(body)
    try:
        fields = _FIELDS.decode(body)
        if _compact_length(fields, len(body)) != len(body):
            # Only a compact body without duplicates has that length; any other needs the dearer look.
            _refuse_duplicates(_PAIRS.decode(body))
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.") from None
    except msgspec.ValidationError:
        raise InvalidRequest("The request body has to be a JSON object.") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequest(f"The request body is not valid JSON: {_reason(error)}.") from None
    return fields


def require_utf8(body: bytes) -> None:
    """Raises InvalidRequest unless the whole body is UTF-8; a raw value would otherwise carry it on unseen."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise InvalidRequest("The request body is not valid UTF-8.") from None


def decode_as(decoder: msgspec.json.Decoder[_T], body: bytes | Raw, *, within: str = "") -> _T:
    """A typed look at a body that `parse_object` let pass.

    Raises InvalidRequest with the path of the offending value as `param`; `within` is the path of `body` itself.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message = str(error)
        path = within + "".join(_PATH.findall(message) + [f".{name}" for name in _MISSING.findall(message)])
        path = path.lstrip(".")
        raise InvalidRequest(f"{path or 'The request body'}: {_PATH.sub('', message)}.", param=path or None) from None
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.", param=within or None) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequest(f"The request body is not valid JSON: {_reason(error)}.", param=within or None) from None


def encode_object(fields: dict[str, Raw]) -> bytes:
    """The compact JSON object of these raw values."""
    return _ENCODER.encode(fields)


def quote(text: str) -> bytes:
    """`text` as a JSON string."""
    return _ENCODER.encode(text)


def is_given(value: Raw | None) -> bool:
    """Whether an optional field was sent with a value other than null."""
    return value is not None and value != NULL


def string_member(prefix: bytes, value: Raw) -> bytes:
    """`prefix` (`,"name":`) and the value, if it is a short string, else nothing."""
    if value == NULL:
        return b""
    given = bytes(value)
    return prefix + given if is_short_string(given) else b""


def is_short_string(value: bytes) -> bool:
    """Whether a JSON value can only be a string, and one short enough to pass on."""
    return 2 <= len(value) <= _MAX_STRING_BYTES and value.startswith(b'"') and value.endswith(b'"')


def _compact_length(fields: dict[str, Raw], size: int) -> int:
    """How long the object would be written compactly; of a large one, `size`, without a copy of its values."""
    if size < _LARGE_BYTES:
        return len(_ENCODER.encode(fields))
    # A list of the keys has the commas and the brackets of the object, which adds a colon for each.
    return len(_ENCODER.encode(list(fields))) + len(fields) + sum(map(len, fields.values()))


def _refuse_duplicates(keys: Iterable[_Key]) -> None:
    seen: set[str] = set()
    for key in map(str, keys):
        if key in seen:
            raise InvalidRequest(f"The key {key[:80]!r} appears more than once.", param=key[:200])
        seen.add(key)


def _reason(error: Exception) -> str:
    return str(error).removeprefix("JSON is malformed: ") if isinstance(error, msgspec.DecodeError) else "bad UTF-8"
