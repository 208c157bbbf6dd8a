"""How results are shown: one JSON document, or tables for people. Fetches nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import click
import msgspec
from rich.console import Console, RenderableType
from rich.table import Table

from .invocation import current

_WHOLE: Final = frozenset({"ID", "LOT", "TIME (UTC)", "FROM (UTC)", "PRICE VERSION"})
_PIPED_WIDTH: Final = 1_000


def emit(document: Mapping[str, Any], *shown: RenderableType) -> None:
    """Print the result: `document` with --json, else what is meant for people; texts among it are not wrapped."""
    if current().as_json:
        print_json(document)
        return
    parts = [part for part in shown if part != ""]
    for before, part in pairwise([None, *parts]):
        if before is not None and not (isinstance(before, str) and isinstance(part, str)):
            click.echo()
        click.echo(part if isinstance(part, str) else _drawn(part))


def csv_shown(rows: bytes) -> str:
    """CSV as a terminal, or the file that it is sent to, takes it."""
    return rows.decode().replace("\r\n", "\n").rstrip("\n")


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def tell(text: str) -> None:
    """A remark beside the result, on standard error."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> RenderableType:
    """A table for people; `empty` is said instead when there is no row.

    A column whose name ends in ">" is aligned to the right, as amounts are.
    """
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        right = name.endswith(">")
        # What is copied from the table stays on one line.
        drawn.add_column(
            name.rstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=name in _WHOLE
        )
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn if drawn.row_count else empty


def facts(pairs: Iterable[tuple[str, object]]) -> RenderableType:
    """One thing's properties, a line each."""
    drawn = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        drawn.add_row(name, _cell(value))
    return drawn


def more(next_cursor: str | None) -> RenderableType:
    """The line under a list that goes on."""
    return f"More: --cursor {next_cursor}" if next_cursor else ""


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return str(value)


def _width() -> int:
    """A terminal's own width; what goes to a file or another program has each row on one line."""
    return shutil.get_terminal_size((_PIPED_WIDTH, 1)).columns


def _drawn(part: RenderableType | None) -> str:
    # Names and reasons are data: nothing in them is markup, an emoji or a link.
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False, width=_width())
    with console.capture() as captured:
        console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
