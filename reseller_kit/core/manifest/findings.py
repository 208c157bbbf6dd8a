"""What can be wrong with tenants.toml: the table of rule codes, and findings that name file, line and fix.

Codes are stable: a code keeps its meaning for ever, and one that is no longer used is not given out again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from ..toml_lines import Path

Level = Literal["error", "warning"]

CODES: Final[Mapping[str, str]] = {
    "RK101": "The file is not valid TOML.",
    "RK102": "A key that does not exist here.",
    "RK103": "A key that must be given is missing.",
    "RK104": "A value of the wrong type.",
    "RK105": "Money or a percentage written as a number instead of a string.",
    "RK106": "A schema that this version does not read.",
    "RK201": "Not an amount or price in plain decimal, or one out of range.",
    "RK202": "Not a percentage, or one out of range.",
    "RK203": "A number out of range.",
    "RK204": "Not one of the values that the key takes.",
    "RK205": "A name with characters that are not allowed there.",
    "RK206": "Not a host name or IP literal.",
    "RK207": "Not an e-mail address.",
    "RK208": "Not a time zone.",
    "RK209": "Not a usable URL.",
    "RK210": "A secret that is not a reference.",
    "RK211": "Empty where something must stand.",
    "RK212": "A currency other than USD.",
    "RK213": "Text that is too long or holds control characters.",
    "RK214": "Not a language tag.",
    "RK215": "Not a day.",
    "RK301": "Two tenants with one slug.",
    "RK302": "A slug that is malformed or reserved.",
    "RK303": "One host given twice.",
    "RK304": "A primary domain that is not the only one, or not a storefront.",
    "RK305": "A tenant without a storefront domain of its own.",
    "RK306": "A route to an upstream that is not defined.",
    "RK307": "A route without a cost.",
    "RK308": "A public model name that means two things.",
    "RK309": "An alias for a model that is not defined.",
    "RK310": "A pattern that matches no model.",
    "RK311": "One item given twice.",
    "RK312": "Terms of a package that contradict each other or are incomplete.",
    "RK313": "A storefront suffix that gives the platform's name away.",
    "RK314": "Provider settings that are incomplete.",
    "RK315": "An unencrypted connection to a private address.",
    "RK320": "A price of the catalogue that may not hold in full.",
    "RK321": "Thresholds of a balance that do not fall.",
    "RK322": "A fallback to a model that is not defined.",
    "RK323": "Fallbacks that lead back to their model.",
    "RK324": "A tenant's routing or group that names what is not defined.",
    "RK325": "Routes over the operator's upstreams and over a tenant's own for one model.",
    "RK326": "An upstream outside the list that the tenant's calls are kept to.",
    "RK327": "A tenant's own upstream at an address that is not public.",
    "RK328": "Models that a tenant or a group has no route left for.",
    "RK329": "A tenant's own upstream that no route goes over.",
    "RK330": "Routes that all have weight 0.",
    "RK331": "A group's id that is reserved.",
    "RK332": "A fallback from a tenant's own upstream to the operator's, which is not taken.",
    "RK333": "A link of a brand without a title, or more links than fit.",
    "RK334": "Texts of a brand in a language that no page is in.",
    "RK401": "A retail price below wholesale.",
    "RK402": "A wholesale price below cost.",
    "RK403": "A route dearer than the model's explicit cost.",
    "RK404": "A retail price for a usage class that has no cost.",
    "RK405": "A cost that names no usage class, or not all that calls come to.",
    "RK406": "A retail price below the floor that the operator sets (retail_floor).",
    "RK501": "A secret that cannot be read.",
    "RK502": "A theme that is not installed.",
    "RK503": "A brand token, setting or text that the theme does not offer, or a value that it refuses.",
    "RK504": "Brand colours that are hard to read on each other.",
    "RK505": "A scheduled price that would be held back, because it would lose money.",
    "RK506": "The host of a tenant's own upstream that cannot be looked up.",
    "RK507": "A language that the theme has no texts in.",
    "RK508": "A logo that can't be read.",
    "RK509": "A plugin that is not installed, or that can't be used.",
}
"""Code → meaning. RK1xx form, RK2xx single values, RK3xx what belongs together, RK4xx money, RK5xx the environment."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


class Finding(Struct, frozen=True, kw_only=True):
    """One thing wrong at one place. `line` is 1-based; `path` is dotted as in TOML."""

    file: str
    line: int
    level: Level
    code: str
    path: str
    message: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.level} {self.code}"
        head = f"{place} {self.path}" if self.path else place
        return f"{head}\n  {self.message}\n  {self.fix}" if self.fix else f"{head}\n  {self.message}"


class Refusal(Exception):
    """A value that its reader does not take; the walker adds the place."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


class Report:
    """Collects findings for one file and knows the line of each path."""

    def __init__(self, file: str, lines: Mapping[Path, int]) -> None:
        self.file = file
        self.lines = lines
        self.findings: list[Finding] = []
        self._broken: set[Path] = set()

    def add(self, code: str, path: Path, message: str, fix: str = "", *, level: Level = "error") -> None:
        """Note a finding at the path."""
        if level == "error":
            self._broken.update(path[:length] for length in range(len(path) + 1))
        self.findings.append(
            Finding(
                file=self.file,
                line=self.line_of(path),
                level=level,
                code=code,
                path=format_path(path),
                message=message,
                fix=fix,
            )
        )

    def is_broken(self, path: Path) -> bool:
        """Whether an error lies at the path or below it."""
        return path in self._broken

    def line_of(self, path: Path) -> int:
        """The line of the path, or of the nearest table around it that is written in the file."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return 1

    def sorted(self) -> list[Finding]:
        """The findings in the order of their lines."""
        return sorted(self.findings, key=lambda finding: (finding.line, finding.path, finding.code))


def check_unique(items: Iterable[object], path: Callable[[int], Path], code: str, what: str, report: Report) -> None:
    """Report items that stood before, each at its own place; blank ones are no items."""
    first: dict[object, int] = {}
    for index, item in enumerate(items):
        if item in first and item != "":
            line = report.line_of(path(first[item]))
            report.add(code, path(index), f"The {what} {item!r} stands on line {line} already.", "Remove one of them.")
        first.setdefault(item, index)


def format_path(path: Path) -> str:
    """A path as one would write it: `models."gpt-4.1".routes[0].upstream`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{key}" if text else key
    return text
