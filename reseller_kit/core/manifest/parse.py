"""From the text of tenants.toml to a valid manifest, or to all its errors at once. Reads no file and no environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from ..errors import InvalidManifest
from ..price_catalogue import NO_CATALOGUE, CatalogueOn
from ..toml_lines import Path, scan
from .catalogue_checks import check_catalogue_use
from .checks import check_document
from .defaults import with_catalogue
from .findings import Finding, Report
from .leaves import STORED, Leaf
from .reader import read_document
from .shapes import ArrayOf, MapOf, Shape, TableOf, keys_of
from .structs import Document, Manifest

Check = Callable[[Document, Report], None]

SCHEMA: Final = 1
_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)")
_MANY_DIGITS: Final = re.compile(r"[\d_]{4300}")
_SYNTAX_FIXES: Final = (
    ("overwrite", "Each key and each [table] stands once; items of a list are [[tables]] in double brackets."),
    ("twice", "Each key and each [table] stands once; items of a list are [[tables]] in double brackets."),
    ("Invalid value", 'Texts, money and percentages stand in double quotes: "…".'),
    ("Expected '='", "Write key = value; keys with dots or spaces stand in double quotes."),
)


def parse_manifest(text: str, filename: str, *more_checks: Check, catalogue: CatalogueOn = NO_CATALOGUE) -> Manifest:
    """The manifest with its warnings. `more_checks` add to the same report what only outer layers know.

    `catalogue` gives the costs and limits that the file leaves out; by default it knows none.

    Raises InvalidManifest with every finding, sorted by line, when there is an error among them.
    """
    report, manifest = _read(text.removeprefix("\ufeff"), filename, more_checks, catalogue)
    findings = report.sorted()
    errors = sum(finding.level == "error" for finding in findings)
    if manifest is None or errors:
        raise invalid(findings)
    return msgspec.structs.replace(manifest, warnings=tuple(findings))


def invalid(findings: list[Finding]) -> InvalidManifest:
    """The error that carries these findings."""
    errors = [finding for finding in findings if finding.level == "error"]
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return InvalidManifest(
        f"{errors[0].file} has {count}.",
        fix="Correct them and run the command again; nothing was changed.",
        details=[msgspec.to_builtins(finding) for finding in findings],
    )


def _read(
    text: str, filename: str, more_checks: Iterable[Check], catalogue: CatalogueOn
) -> tuple[Report, Manifest | None]:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return _syntax_report(error, text, filename), None
    lines = scan(text)
    report = Report(filename, lines)
    schema = data.get("schema", SCHEMA)
    if isinstance(schema, int) and schema != SCHEMA:
        report.add(
            "RK106",
            ("schema",),
            f"This version reads schema {SCHEMA}, not {schema}.",
            f"Write schema = {SCHEMA}, or use another version.",
        )
        return report, None
    document, stated = read_document(data, report)
    _refuse_stored(document, report)
    check_catalogue_use(document, report, catalogue)
    document = with_catalogue(document, catalogue)
    check_document(document, report, catalogue)
    for check in more_checks:
        check(document, report)
    return report, Manifest(document=document, stated=stated, file=filename, lines=lines, catalogue=catalogue)


def _refuse_stored(document: Document, report: Report) -> None:
    """A file can't refer to what was typed into a page: it would say nothing to another database."""
    for place in _stored_places(TableOf(Document), document, ()):
        message = "This stands for a secret that was typed into the console; a file can't hold it."
        report.add("RK210", place, message, 'Write "env:NAME" or "file:/path/to/secret".')


def _stored_places(shape: Shape, value: Any, path: Path) -> Iterator[Path]:
    """Where a secret stands that is kept in the database alone."""
    if isinstance(shape, Leaf):
        if shape.secret and value == STORED:
            yield path
    elif isinstance(shape, ArrayOf):
        for index, item in enumerate(value or ()):
            yield from _stored_places(shape.item, item, (*path, index))
    elif isinstance(shape, MapOf):
        for name, item in (value or {}).items():
            yield from _stored_places(shape.value, item, (*path, name))
    elif isinstance(shape, TableOf) and value is not None:
        for name, key in keys_of(shape.table).items():
            yield from _stored_places(key.shape, getattr(value, key.field), (*path, name))


def _syntax_report(error: Exception, text: str, filename: str) -> Report:
    if isinstance(error, RecursionError):
        message, line = "Values are nested too deeply", 1
    elif not isinstance(error, tomllib.TOMLDecodeError):
        # Python's own bound of the digits of a number, in words about Python.
        digits = _MANY_DIGITS.search(text)
        message, line = "A number is too long", text.count("\n", 0, digits.start()) + 1 if digits else 1
    else:
        match = _LINE.search(str(error))
        message = _LINE.sub("", str(error)).removesuffix(" (at end of document)")
        line = int(match[1]) if match else text.rstrip("\n").count("\n") + 1
    fix = next((fix for word, fix in _SYNTAX_FIXES if word in message), "Correct the syntax; toml.io describes it.")
    report = Report(filename, {(): line})
    report.findings.append(syntax_finding(filename, line, f"{message}.", fix))
    return report


def syntax_finding(filename: str, line: int, message: str, fix: str) -> Finding:
    """What is said of a text that is no TOML; lines count from 1."""
    return Finding(file=filename, line=line, level="error", code="RK101", path="", message=message, fix=fix)


def as_findings(details: list[dict[str, Any]]) -> list[Finding]:
    """The findings of an InvalidManifest again, for printing."""
    return msgspec.convert(details, list[Finding])
