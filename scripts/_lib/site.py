"""Gathers the pages of the documentation site, lets the generator build them, and looks at what came out.

Writes into the folder that it is given and nowhere else; the pages' sources stay as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from scripts._lib.bootstrap import ROOT

CONFIGURATION: Final = ROOT / "zensical.toml"
ELSEWHERE: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "themes/README.md": "theme-guide.md",
}
"""Pages that lie where a newcomer to the repository looks for them, and their names on the site."""
BUILD_SECONDS: Final = 600
_LINK: Final = re.compile(r"\[([^\[\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_CODE: Final = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LOADS: Final = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("video", "src")}


class SiteFailed(RuntimeError):
    """The site could not be built, or has a fault; the text says where."""


def build(target: Path) -> None:
    """Build the site into `target`, which is replaced. Raises SiteFailed on the first kind of fault that is found."""
    with tempfile.TemporaryDirectory(prefix="docs-") as scratch:
        folder = Path(scratch)
        gather(folder / "docs")
        shutil.copy(CONFIGURATION, folder)
        _refuse(unlisted(folder / "docs"))
        _generate(folder)
        _refuse(faults(folder / "site"))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "site", target)


def gather(folder: Path) -> None:
    """Copy all pages into one folder, with their links to each other set right."""
    shutil.copytree(ROOT / "docs", folder)
    sources = {folder / name: ROOT / source for source, name in ELSEWHERE.items()}
    for page, source in sources.items():
        shutil.copy(source, page)
    for page in folder.rglob("*.md"):
        home = sources.get(page, ROOT / "docs" / page.relative_to(folder))
        page.write_text(_relinked(page.read_text(encoding="utf-8"), home, page, folder), encoding="utf-8")


def unlisted(folder: Path) -> list[str]:
    """Pages that no menu leads to, and the other way round. A decision is found on the page of them all."""
    named = set(_names(tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["project"]["nav"]))
    pages = {page.relative_to(folder).as_posix() for page in folder.rglob("*.md")}
    decisions = (folder / "decisions" / "index.md").read_text(encoding="utf-8")
    found = [f"{page}: is in nav of zensical.toml and does not exist" for page in sorted(named - pages)]
    for page in sorted(pages - named):
        if not page.startswith("decisions/"):
            found.append(f"{page}: add it to nav in zensical.toml")
        elif f"]({Path(page).name})" not in decisions:
            found.append(f"{page}: add it to decisions/index.md")
    return found


def faults(site: Path) -> list[str]:
    """What a site must not have: links to files that it lacks, addresses that are none, anything loaded from afar."""
    found = []
    for page in sorted(site.rglob("*.html")):
        for tag, name, address in _addresses(page.read_text(encoding="utf-8")):
            problem = _problem(tag, name, address, page, site)
            if problem and page.name != "404.html":
                found.append(f"{page.relative_to(site)}: {address}: {problem}")
    return found


def _problem(tag: str, name: str, address: str, page: Path, site: Path) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "is no address"
    if parts.scheme in {"http", "https"}:
        if (tag, name) in _LOADS or tag == "link":
            return "is loaded from another server"
        return None if parts.hostname and "." in parts.hostname else "is no address"
    if parts.scheme == "mailto":
        return None
    if parts.scheme or parts.netloc:
        return "is no address"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    return None if target.is_file() and target.is_relative_to(site.resolve()) else "does not exist"


def _relinked(text: str, source: Path, page: Path, folder: Path) -> str:
    """The page's text with links as the site needs them; what the site does not hold becomes plain text."""
    code = [match.span() for match in _CODE.finditer(text)]

    def relink(match: re.Match[str]) -> str:
        words, address, anchor = match[1], match[2], match[3] or ""
        if urlsplit(address).scheme or any(start < match.start(2) < end for start, end in code):
            return match[0]
        wanted = Path(os.path.normpath(source.parent / address))
        if not wanted.is_relative_to(ROOT) or not wanted.exists():
            return match[0]  # broken: the generator says so, with its line
        place = _place(wanted, folder)
        return f"[{words}]({Path(os.path.relpath(place, page.parent)).as_posix()}{anchor})" if place else words

    return _LINK.sub(relink, text)


def _place(wanted: Path, folder: Path) -> Path | None:
    """Where a file of the repository lies among the pages, or None."""
    name = wanted.relative_to(ROOT).as_posix()
    if name in ELSEWHERE:
        return folder / ELSEWHERE[name]
    if not wanted.is_relative_to(ROOT / "docs"):
        return None
    place = folder / wanted.relative_to(ROOT / "docs")
    if wanted.is_dir():
        place /= "index.md"
    return place if place.is_file() else None


def _generate(folder: Path) -> None:
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--strict", "--clean"]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        told = (done.stdout + done.stderr).partition("Traceback")[0]
        raise SiteFailed(re.sub(r"\x1b\[[0-9;]*m", "", told).strip())


def _refuse(found: list[str]) -> None:
    if found:
        raise SiteFailed("\n".join(found))


def _names(menu: Any) -> Iterator[str]:
    if isinstance(menu, str):
        yield menu
        return
    for below in menu.values() if isinstance(menu, dict) else menu:
        yield from _names(below)


def _addresses(html: str) -> list[tuple[str, str, str]]:
    reader = _Reader()
    reader.feed(html)
    return reader.found


class _Reader(HTMLParser):
    """Tag, attribute and value of everything that leads elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value) for name, value in attrs if name in {"href", "src"} and value]
