"""Walks parsed TOML along the manifest's shapes and reports everything that is wrong. Compares no two values.

Every key is read on its own, so one report holds all errors. Where a value is refused, a blank one takes its
place, and the walk goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from ..toml_lines import Path
from .findings import Refusal, Report, format_path
from .leaves import Leaf
from .shapes import ArrayOf, Choice, Key, MapOf, Shape, TableOf, homes, keys_of
from .shop_structs import Table
from .structs import Document
from .texts import toml_type

T = TypeVar("T", bound=Table)


def read_document(data: dict[str, Any], report: Report) -> tuple[Document, dict[str, Any]]:
    """The typed content, and the keys that are stated in their canonical spelling; errors go to the report."""
    return _read_table(Document, data, (), report)


def write(shape: Shape, value: Any) -> Any:
    """A typed value in its canonical JSON spelling; a table leaves out what equals its default."""
    if isinstance(shape, Leaf):
        return shape.write(value)
    if isinstance(shape, ArrayOf):
        return [write(shape.item, item) for item in value]
    if isinstance(shape, MapOf):
        return {key: write(shape.value, item) for key, item in value.items()}
    if isinstance(shape, TableOf):
        pairs = ((key, getattr(value, key.field)) for key in keys_of(shape.table).values())
        return {key.name: write(key.shape, item) for key, item in pairs if key.required or item != key.default}
    return value


def suggest(word: str, known: Iterable[str]) -> str:
    """Ask “did you mean …?” when a known word is near; else an empty text."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'Did you mean "{near[0]}"?' if near else ""


def _read(shape: Shape, value: object, path: Path, report: Report) -> tuple[Any, Any]:
    """The typed value and its canonical spelling, or blanks when it was refused."""
    if isinstance(shape, Leaf):
        return _read_leaf(shape, value, path, report)
    if isinstance(shape, Choice):
        return _read_choice(shape, value, path, report)
    if isinstance(shape, ArrayOf):
        return _read_array(shape, value, path, report)
    if not isinstance(value, dict):
        report.add(
            "RK104",
            path,
            f"Expected a table, found {toml_type(value)}.",
            f"Write it as [{format_path(path)}] with keys below.",
        )
        return _blank(shape), {}
    if isinstance(shape, MapOf):
        return _read_map(shape, value, path, report)
    return _read_table(shape.table, value, path, report)


def _read_leaf(leaf: Leaf, value: object, path: Path, report: Report) -> tuple[Any, Any]:
    try:
        typed = leaf.read(value)
    except Refusal as refusal:
        report.add(refusal.code, path, refusal.message, refusal.fix)
        return _blank(leaf), None
    return typed, leaf.write(typed)


def _read_choice(choice: Choice, value: object, path: Path, report: Report) -> tuple[Any, Any]:
    if value in choice.words:
        return value, value
    listed = ", ".join(f'"{word}"' for word in choice.words)
    if isinstance(value, str):
        report.add(
            "RK204",
            path,
            f"{value[:80]!r} is not a value of this key.",
            f"{suggest(value, choice.words)} Use one of {listed}.".lstrip(),
        )
    else:
        report.add("RK104", path, f"Expected a word as a string, found {toml_type(value)}.", f"Use one of {listed}.")
    return choice.words[0], None


def _read_array(shape: ArrayOf, value: object, path: Path, report: Report) -> tuple[Any, Any]:
    if not isinstance(value, list):
        holds_tables = isinstance(shape.item, TableOf)
        fix = (
            f"Write it as [[{format_path(path)}]], once for each item."
            if holds_tables
            else "Put it in brackets: [ … ]."
        )
        report.add("RK104", path, f"Expected an array, found {toml_type(value)}.", fix)
        return (), []
    if not value and not shape.may_be_empty:
        report.add("RK211", path, "The array is empty.", "Give at least one item.")
    pairs = [_read(shape.item, item, (*path, index), report) for index, item in enumerate(value)]
    typed = tuple(pair[0] for pair in pairs)
    if shape.of_resources:
        return typed, [pair[1] for pair in pairs]
    return typed, [write(shape.item, item) for item in typed]


def _read_map(shape: MapOf, value: dict[str, Any], path: Path, report: Report) -> tuple[Any, Any]:
    typed, stated = {}, {}
    for key, item in value.items():
        name, _ = _read_leaf(shape.key, key, (*path, key), report)
        typed[name or key], stated[name or key] = _read(shape.value, item, (*path, key), report)
    return typed, stated


def _read_table(table: type[T], value: dict[str, Any], path: Path, report: Report) -> tuple[T, dict[str, Any]]:
    keys = keys_of(table)
    fields, stated = {}, {}
    for name, item in value.items():
        key = keys.get(name)
        if key is None:
            _report_unknown(name, keys, (*path, name), report)
        else:
            fields[key.field], stated[name] = _read_field(key, item, (*path, name), report)
    for key in keys.values():
        if key.required and key.name not in value:
            _report_missing(key, path, report)
            fields[key.field] = _blank(key.shape)
    return table(**fields), stated


def _read_field(key: Key, value: object, path: Path, report: Report) -> tuple[Any, Any]:
    typed, stated = _read(key.shape, value, path, report)
    if isinstance(key.shape, Leaf) and not key.required and report.is_broken(path):
        return key.default, stated
    return typed, stated


def _report_unknown(name: str, keys: dict[str, Key], path: Path, report: Report) -> None:
    fix = suggest(name, keys)
    elsewhere = homes().get(name, ())
    if not fix and elsewhere:
        place = " or ".join(header or "the top of the file" for header in elsewhere[:3])
        fix = f"It belongs in {place}; a key belongs to the table header above it."
    report.add("RK102", path, f"There is no key {name[:80]!r} here.", fix or f"Keys here: {', '.join(keys)}.")


def _report_missing(key: Key, path: Path, report: Report) -> None:
    where = f" in {format_path(path)}" if path else ""
    report.add("RK103", (*path, key.name), f"The key {key.name!r} is missing{where}.", f"Add it. {key.doc}".rstrip())


def _blank(shape: Shape) -> Any:
    """A harmless value of the shape, so that the walk and the later checks can go on."""
    if isinstance(shape, Choice):
        return shape.words[0]
    if isinstance(shape, ArrayOf):
        return ()
    if isinstance(shape, MapOf):
        return {}
    if isinstance(shape, TableOf):
        required = (key for key in keys_of(shape.table).values() if key.required)
        return shape.table(**{key.field: _blank(key.shape) for key in required})
    return shape.blank
