"""Reads the tables of docs/translation*.md, so that tests can hold themselves against its rows."""

from __future__ import annotations

from pathlib import Path

_PAGES = sorted((Path(__file__).parents[3] / "docs").glob("translation*.md"))


def rows_of(section: str) -> list[str]:
    """The first cells of the table under the heading `section`, without backticks."""
    text = "".join(page.read_text() for page in _PAGES)
    _, found, rest = text.partition(f"\n## {section}\n")
    assert found, f"docs/translation*.md have no section {section!r}"
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [line.split("|")[1].strip().replace("`", "") for line in lines[2:]]
