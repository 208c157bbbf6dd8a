"""`theme`: the themes that storefronts wear."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ..core.errors import NotFound
from ..theming.check import check_theme
from ..theming.library import installed_themes, themes_dir
from ..theming.scaffold import new_theme
from .failures import DONE, FINDINGS
from .options import Group
from .output import emit, table


@click.group(cls=Group)
def theme() -> None:
    """Themes: list, check, start a new one."""


@theme.command("list")
def list_() -> None:
    """The installed themes."""
    themes = installed_themes().values()
    documents = [
        {
            "name": found.name,
            "title": found.manifest.title,
            "version": found.manifest.version,
            "extends": found.manifest.extends,
            "path": str(found.folder),
        }
        for found in themes
    ]
    rows = [(row["name"], row["title"], row["version"], row["extends"]) for row in documents]
    emit(
        {"themes": documents, "next_cursor": None},
        table(["NAME", "TITLE", "VERSION", "EXTENDS"], rows, empty="No theme is installed."),
    )


@theme.command()
@click.argument("path", type=click.Path(file_okay=False, path_type=Path))
def check(path: Path) -> int:
    """Everything that is wrong with the theme in a folder."""
    if not path.exists():
        raise NotFound(f"There is no folder {path}.", fix="Give the path of a theme; the installed ones: theme list.")
    findings = check_theme(path)
    document = {"ok": not findings, "findings": [msgspec.to_builtins(finding) for finding in findings]}
    said = "\n".join(map(str, findings)) or f"{path.name}: nothing is wrong."
    emit(document, said)
    return FINDINGS if findings else DONE


@theme.command()
@click.argument("name")
@click.option("--extends", default="base", show_default=True, metavar="THEME", help="The theme that it builds on.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    metavar="DIR",
    help="Folder to make it in. Default: where the installed themes are.",
)
def new(name: str, extends: str, into: Path | None) -> None:
    """Start a theme that builds on another one."""
    written = [str(file) for file in new_theme(into or themes_dir(), name, extends=extends)]
    emit({"name": name, "files": written}, "Wrote:", *(f"  {file}" for file in written))
