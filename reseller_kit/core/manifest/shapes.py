"""The manifest's annotations as plain shapes that a walker can follow. Reads no values."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from typing import Any, Final, Union

import msgspec
from msgspec import Struct

from .leaves import Leaf
from .shop_structs import NOT_EMPTY, RESOURCES, Table
from .structs import Document


class Choice(Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]


class ArrayOf(Struct, frozen=True):
    """An array of one shape."""

    item: Shape
    may_be_empty: bool = True
    of_resources: bool = False


class MapOf(Struct, frozen=True):
    """A table whose keys the operator chooses."""

    key: Leaf
    value: Shape


class TableOf(Struct, frozen=True):
    """A table with fixed keys."""

    table: type[Table]


Shape = Leaf | Choice | ArrayOf | MapOf | TableOf


class Key(Struct, frozen=True):
    """A key of a table: its name in the file, the field that holds it, and what may stand there."""

    name: str
    field: str
    shape: Shape
    required: bool
    default: Any
    doc: str


@functools.cache
def keys_of(table: type[Table]) -> dict[str, Key]:
    """The keys of a table by their names in the file, the table's own before inherited ones."""
    hints = typing.get_type_hints(table, include_extras=True)
    keys = {}
    own = inspect.get_annotations(table)
    for field in sorted(msgspec.structs.fields(table), key=lambda field: field.name not in own):
        hint = hints[field.name]
        default = None if field.default is msgspec.NODEFAULT else field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        keys[field.encode_name] = Key(
            name=field.encode_name,
            field=field.name,
            shape=_shape(hint),
            required=field.required,
            default=default,
            doc=_doc(hint),
        )
    return keys


@functools.cache
def homes() -> dict[str, tuple[str, ...]]:
    """In which tables each key may stand, as table headers: `theme` → `[[tenants]]`."""
    found: dict[str, list[str]] = {}
    _collect_homes(Document, "", found)
    return {name: tuple(dict.fromkeys(headers)) for name, headers in found.items()}


def _collect_homes(table: type[Table], header: str, found: dict[str, list[str]]) -> None:
    for key in keys_of(table).values():
        found.setdefault(key.name, []).append(header)
        inner, suffix = key.shape, key.name
        is_array = isinstance(inner, ArrayOf)
        if isinstance(inner, ArrayOf):
            inner = inner.item
        if isinstance(inner, MapOf):
            inner, suffix = inner.value, f"{key.name}.NAME"
        if isinstance(inner, TableOf):
            path = f"{header.strip('[]')}.{suffix}".strip(".")
            _collect_homes(inner.table, f"[[{path}]]" if is_array else f"[{path}]", found)


_NONE: Final = type(None)


def _shape(hint: Any) -> Shape:
    metadata: tuple[Any, ...] = ()
    if hasattr(hint, "__metadata__"):
        metadata, hint = hint.__metadata__, hint.__origin__
    for extra in metadata:
        if isinstance(extra, Leaf):
            return extra
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {Union, types.UnionType}:
        return _shape(next(arg for arg in args if arg is not _NONE))
    if origin is typing.Literal:
        return Choice(args)
    if origin is tuple:
        return ArrayOf(_shape(args[0]), may_be_empty=NOT_EMPTY not in metadata, of_resources=RESOURCES in metadata)
    if origin is dict:
        key = _shape(args[0])
        if isinstance(key, Leaf):
            return MapOf(key, _shape(args[1]))
    if isinstance(hint, type) and issubclass(hint, Table):
        return TableOf(hint)
    raise TypeError(f"No shape for {hint!r}")


def _doc(hint: Any) -> str:
    texts = [
        extra
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, str) and extra not in {NOT_EMPTY, RESOURCES}
    ]
    return texts[0] if texts else ""
