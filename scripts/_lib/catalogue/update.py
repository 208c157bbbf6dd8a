"""Makes the files of the price catalogue from its sources, or compares them with what is there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from reseller_kit.catalogue import FILE
from scripts._lib.bootstrap import ROOT

from .convert import convert, written
from .fetch import Fetched, SourceFault, Sources, fetch, read_sources
from .report import compare, report
from .second import read_second

REPORT = ROOT / "docs" / "catalogue-report.md"


def run(source_dir: Path | None, *, check: bool) -> int:
    """Exit code 0 when the files are written, or with `check` as they should be."""
    try:
        sources = read_sources()
        files = made(sources, fetch(sources.prices, source_dir), fetch(sources.limits, source_dir))
    except SourceFault as fault:
        print(f"update_catalogue: {fault}", file=sys.stderr)
        return 1
    if check:
        return _compare(files)
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
        print(f"wrote {file.relative_to(ROOT)}")
    return 0


def made(sources: Sources, first: Fetched, second: Fetched) -> dict[Path, str]:
    """The files' texts. Raises SourceFault."""
    catalogue = convert(sources, first, second)
    comparisons = compare(catalogue, sources, read_second(second.data))
    return {FILE: written(catalogue), REPORT: report(catalogue, sources, comparisons)}


def _compare(files: Mapping[Path, str]) -> int:
    stale = [file for file, text in files.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    for file in stale:
        print(f"{file.relative_to(ROOT)} is out of date. Run: scripts/update_catalogue", file=sys.stderr)
    return 1 if stale else 0
