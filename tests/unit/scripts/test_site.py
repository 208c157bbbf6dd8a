"""The documentation site is whole, and what makes it so notices what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts._lib import site


@pytest.mark.thorough
def test_the_docs_build_without_a_fault(tmp_path: Path) -> None:
    site.build(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").is_file()
    assert (tmp_path / "site" / "search.json").is_file()


def page(folder: Path, body: str) -> Path:
    (folder / "index.html").write_text(body)
    return folder


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<img src="lost.webp">', "does not exist"),
        ('<a href="../secret">', "does not exist"),
        ('<a href="https://[half">', "is no address"),
        ('<a href="http://nowhere/">', "is no address"),
        ('<a href="javascript:x()">', "is no address"),
        ('<script src="https://cdn.example/x.js">', "is loaded from another server"),
        ('<link rel="stylesheet" href="https://fonts.example/x.css">', "is loaded from another server"),
    ],
)
def test_a_fault_of_a_page_is_found(tmp_path: Path, body: str, told: str) -> None:
    (found,) = site.faults(page(tmp_path, body))
    assert found.startswith("index.html: ")
    assert found.endswith(told)


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    addresses = ("#x", "index.html", "https://example.com/a", "mailto:a@b.example")
    body = "".join(f'<a href="{address}"></a>' for address in addresses)
    assert site.faults(page(tmp_path, body)) == []


def test_links_lead_to_where_pages_lie_on_the_site(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    site.gather(folder)
    guide, home = (folder / "theme-guide.md").read_text(), (folder / "index.md").read_text()
    assert "](reference/themes.md)" in guide
    assert "](contributing.md)" in home
    assert "](../" not in "".join(path.read_text() for path in folder.glob("*.md"))


def test_a_page_without_a_place_in_the_menu_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    site.gather(folder)
    (folder / "stray.md").write_text("# Stray\n")
    assert site.unlisted(folder) == ["stray.md: add it to nav in zensical.toml"]
