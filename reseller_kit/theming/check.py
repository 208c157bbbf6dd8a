"""`theme check`: all that is wrong with a theme, in one report with rule, file, line and fix. Changes nothing."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jinja2
from jinja2 import nodes

from reseller_kit.core.errors import InvalidManifest, KitError
from reseller_kit.core.manifest.findings import Finding, Level, Report
from reseller_kit.core.theme import (
    COLOR_TOKENS,
    FONT_TOKENS,
    TOKENS,
    fonts,
    resolve_tokens,
    setting_default_fits,
)
from reseller_kit.core.toml_lines import scan

from .library import Theme, read_manifest, themes_dir
from .mail import render_mail
from .render import Library, load, render, template_file
from .sample import ERROR_TEMPLATE, ERRORS, KIT_TEMPLATE, MAILS, PAGES, VIEWED, sample_brand, sample_mail, sample_page
from .stylesheet import look
from .texts import DEFAULT_LANGUAGE

RULES: Final = {
    "TH101": "theme.toml cannot be read, or the theme's parents cannot.",
    "TH102": "A token that does not exist.",
    "TH103": "A token's value that is not of its kind.",
    "TH104": "A token that no theme of the chain sets.",
    "TH105": "Two colours that lie on one another with too little contrast.",
    "TH106": "A font that is not vendored, or whose file or licence is missing.",
    "TH107": "A setting whose default or options do not fit its type.",
    "TH108": "An exposed token or setting that does not exist.",
    "TH109": "A style sheet or script in [assets] that is missing.",
    "TH110": "Files that weigh more than the budget.",
    "TH111": "A first visit that loads more than 100 kB, compressed.",
    "TH201": "A template that Jinja cannot read.",
    "TH202": "A template that names one that does not exist, or itself.",
    "TH203": "Inline code or style, which the content security policy blocks.",
    "TH204": "A way around escaping.",
    "TH205": "An address outside the storefront.",
    "TH206": "A page or mail that fails to render with the sample storefront.",
    "TH207": "A page without exactly one h1, or without a landmark.",
    "TH301": "A style sheet that loads something.",
    "TH302": "A style that holds in one direction of writing alone.",
    "TH303": "A colour that is no token, so that no contrast is proven and no brand can change it.",
}
"""Rule code → meaning. TH1xx manifest, TH2xx templates and pages, TH3xx style sheets. A code keeps its meaning."""

_PROBLEM_CODES: Final = {
    "unknown": "TH102",
    "value": "TH103",
    "exposed": "TH108",
    "missing": "TH104",
    "contrast": "TH105",
}
_LINE_RULES: Final = (
    ("TH203", re.compile(r"<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE)),
    ("TH203", re.compile(r"<script\b(?![^>]*\bsrc=)(?![^>]*type=\"application/ld\+json\")", re.IGNORECASE)),
    ("TH204", re.compile(r"\|\s*safe\b|\bautoescape\s+false\b|\bMarkup\s*\(")),
    (
        "TH205",
        re.compile(
            r"<(?:link|script|img|iframe|source|video|audio|object|embed)\b[^>]*[\"'](?:https?:)?//", re.IGNORECASE
        ),
    ),
)
_LINE_FIXES: Final = {
    "TH203": "Move it into a file under static/ and name that in [assets].",
    "TH204": "Let the value be escaped; Markdown goes through the markdown filter.",
    "TH205": "Vendor the file under static/ and use asset().",
}
_CSS_RULES: Final = (
    (
        "TH301",
        re.compile(r"@import\b|url\(|expression\(", re.IGNORECASE),
        "Use tokens and plain CSS; fonts come from [fonts].",
    ),
    (
        "TH302",
        # Code alone is written from left to right in every language.
        re.compile(
            r"\b(?:margin|padding|border)-(?:left|right)\b|(?<![\w-])(?:left|right)\s*:"
            r"|(?<!pre \{ )text-align\s*:\s*(?:left|right)\b|\bfloat\s*:",
            re.IGNORECASE,
        ),
        "Use the logical property: margin-inline-start, inset-inline-end, text-align: start.",
    ),
    (
        "TH303",
        re.compile(r":[^;{}]*#(?:[0-9a-f]{6}|[0-9a-f]{3})\b(?=[^{}]*[;}])", re.IGNORECASE),
        "Use var(--color-…); shadows may be rgb() with an opacity.",
    ),
)
_FIRST_LOAD_BYTES: Final = 100_000
_WOFF2: Final = b"wOF2"  # a format that is compressed in itself
_LANDMARKS: Final = ("<header", "<nav", "<main", "<footer")
_TEMPLATES: Final = frozenset({".html", ".txt"})
_STYLE: Final = re.compile(r"\sstyle=", re.IGNORECASE)
_IMAGES: Final = frozenset({".ico", ".jpg", ".png", ".svg", ".webp"})


def check_theme(folder: Path) -> list[Finding]:
    """The findings of one theme folder, sorted by file and line; empty when all is well.

    Parents are looked for beside the folder and among the themes that come with the product.
    """
    folder = folder.resolve()
    try:
        manifest = read_manifest(folder)
        library = load() if folder.parent == themes_dir().resolve() else load(folder.parent)
        theme = library.themes[manifest.name]
    except InvalidManifest as error:
        return [_finding(_place(folder / "theme.toml"), 1, "TH101", error.message, error.fix)]
    found = [*_check_manifest(theme), *_check_templates(library, theme), *_check_css(theme)]
    if not any(finding.level == "error" for finding in found):
        faults = _check_pages(library, theme)
        found += [*faults, *_check_mails(library, theme), *([] if faults else _check_first_load(library, theme))]
    return sorted(found, key=lambda finding: (finding.file, finding.line, finding.code))


def _finding(file: str, line: int, code: str, message: str, fix: str, *, level: Level = "error") -> Finding:
    return Finding(file=file, line=line, level=level, code=code, path="", message=message, fix=fix)


def _check_manifest(theme: Theme) -> list[Finding]:
    report = Report(
        _place(theme.folder / "theme.toml"), scan((theme.folder / "theme.toml").read_text(encoding="utf-8"))
    )
    problems = resolve_tokens(theme.chain)[1]
    for problem in problems:
        report.add(_PROBLEM_CODES[problem.rule], problem.path, problem.message, problem.fix)
    _check_fonts(theme, report)
    _check_choices(theme, report)
    if not any(problem.rule == "missing" for problem in problems):
        _check_files(theme, report)
    return report.sorted()


def _check_fonts(theme: Theme, report: Report) -> None:
    known = fonts(theme.chain)
    tokens = theme.manifest.tokens
    for name in FONT_TOKENS:
        value = tokens.get(name)
        if isinstance(value, str) and value not in known:
            report.add(
                "TH106", ("tokens", name), f"There is no font {value!r}.", f"There are {', '.join(sorted(known))}."
            )
    for name, font in theme.manifest.fonts.items():
        if font.file is None:
            continue
        if font.family is None or font.file not in theme.assets:
            report.add("TH106", ("fonts", name), f"static/{font.file} or its family is missing.", "Add both.")
        if not any((folder / "static" / "THIRD_PARTY.md").is_file() for folder in theme.folders):
            report.add("TH106", ("fonts", name), "No THIRD_PARTY.md records the licence.", "Add static/THIRD_PARTY.md.")


def _check_choices(theme: Theme, report: Report) -> None:
    manifest = theme.manifest
    for name, setting in manifest.settings.items():
        if not setting_default_fits(setting) or (setting.type == "select") != bool(setting.options):
            fix = "Give a default that is one of the options; only a select has options."
            report.add("TH107", ("settings", name), f"Setting {name} does not fit its type {setting.type}.", fix)
    declared = {name for link in theme.chain for name in link.settings}
    for kind, names, known in (
        ("tokens", manifest.expose.tokens, TOKENS),
        ("settings", manifest.expose.settings, frozenset(declared)),
    ):
        for name in () if names == "*" else names:
            if name not in known:
                report.add("TH108", ("expose", kind), f"{name!r} is exposed but not declared.", "Correct its name.")
    for index, rule in enumerate(manifest.contrast):
        for name in {rule.fg, rule.bg} - set(COLOR_TOKENS):
            report.add("TH102", ("contrast", index), f"There is no colour {name!r}.", "Name two colour tokens.")


def _check_files(theme: Theme, report: Report) -> None:
    assets, static = theme.manifest.assets, theme.folder / "static"
    missing = [name for name in assets.css if not (static / name).is_file()]
    missing += [name for name in assets.js if name not in theme.assets]
    for name in missing:
        report.add("TH109", ("assets",), f"static/{name} is missing.", "Add it or drop it from [assets].")
    if missing:
        return
    own = {file.suffix: 0 for file in static.rglob("*")}
    for file in static.rglob("*"):
        own[file.suffix] += file.stat().st_size if file.is_file() else 0
    scripts = {name for link in theme.chain for name in link.assets.js}
    weights = {
        "css": len(look(theme, sample_brand()).stylesheet.css),
        "js": sum(len(theme.assets[name].body) for name in scripts if name in theme.assets),
        "images": sum(size for suffix, size in own.items() if suffix in _IMAGES),
    }
    budget = assets.budget_kb
    for kind, limit in (("css", budget.css), ("js", budget.js), ("images", budget.images)):
        if weights[kind] > limit * 1000:
            message = f"{kind} weighs {weights[kind]} bytes; the budget is {limit} kB."
            report.add("TH110", ("assets", "budget_kb"), message, "Make it smaller, or raise the budget on purpose.")


def _check_css(theme: Theme) -> list[Finding]:
    return [
        _finding(_place(file), number, code, RULES[code], fix)
        for file in sorted((theme.folder / "static").rglob("*.css"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for code, pattern, fix in _CSS_RULES
        if pattern.search(line)
    ]


def _check_templates(library: Library, theme: Theme) -> list[Finding]:
    found: list[Finding] = []
    root = theme.folder / "templates"
    for file in sorted(file for file in root.rglob("*") if file.suffix in _TEMPLATES):
        text, place = file.read_text(encoding="utf-8"), _place(file)
        for number, line in enumerate(text.splitlines(), 1):
            # Readers of mail take styles in the tags alone.
            shown = _STYLE.sub(" ", line) if file.is_relative_to(root / "mail") else line
            found += [
                _finding(place, number, code, RULES[code], _LINE_FIXES[code])
                for code, pattern in _LINE_RULES
                if pattern.search(shown)
            ]
        try:
            tree = library.environment.parse(text)
        except jinja2.TemplateSyntaxError as error:
            found.append(_finding(place, error.lineno, "TH201", f"{error.message}.", "Correct the syntax."))
            continue
        own = file.relative_to(root).as_posix()
        for reference, line_number in _references(tree):
            if reference == own or reference.startswith(f"!{theme.name}/"):
                message, fix = f"The template {reference} is the template itself.", "Name a parent's: !base/…"
                found.append(_finding(place, line_number, "TH202", message, fix))
            elif template_file(library.themes, f"{theme.name}::{reference}") is None:
                message = f"There is no template {reference}."
                found.append(_finding(place, line_number, "TH202", message, "Create it or correct its name."))
    return found


def _references(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    """The names of templates that a template extends, includes or imports, with their lines."""
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        name = getattr(node, "template", None)
        if isinstance(name, nodes.Const) and isinstance(name.value, str):
            yield name.value, node.lineno


def _check_pages(library: Library, theme: Theme) -> list[Finding]:
    found: list[Finding] = []
    pages = [(template, sample_page(path)) for path, template in PAGES.items()]
    pages += [(viewed.template, sample_page(viewed.path, viewed=viewed)) for viewed in VIEWED]
    pages += [(ERROR_TEMPLATE, sample_page("/missing", error=error)) for error in ERRORS]
    pages.append((KIT_TEMPLATE, sample_page("/kit")))
    for template, page in pages:
        place = _place(theme.find(f"templates/{template}") or theme.folder)
        try:
            html = render(library, theme.name, template, page)
        except (KitError, jinja2.TemplateError, KeyError, TypeError, AttributeError) as error:
            fix = f"Look at what the template uses; texts stand in locales/{DEFAULT_LANGUAGE}/."
            found.append(_finding(place, 1, "TH206", f"{page.path}: {type(error).__name__}: {error}", fix))
            continue
        lacks = [mark for mark in _LANDMARKS if mark not in html and (mark != "<nav" or page.error is None)]
        if html.count("<h1") != 1 or lacks:
            message = f"{page.path} has {html.count('<h1')} h1; it lacks {', '.join(lacks) or 'nothing else'}."
            found.append(_finding(place, 1, "TH207", message, "One h1, and header, nav, main and footer."))
    return found


def _check_first_load(library: Library, theme: Theme) -> list[Finding]:
    """The home page with its style sheet, scripts and preloaded fonts, as a browser without a cache fetches them."""
    face = look(theme, sample_brand())
    html = render(library, theme.name, PAGES["/"], sample_page("/"))
    needed = {asset.body for asset in theme.assets.values() if asset.url in html or asset.url in face.fonts}
    weight = sum(map(len, (body if body[:4] == _WOFF2 else gzip.compress(body) for body in needed)))
    weight += len(gzip.compress(html.encode())) + len(gzip.compress(face.stylesheet.css))
    if weight <= _FIRST_LOAD_BYTES:
        return []
    message = f"A first visit of the home page loads {weight} bytes, compressed."
    fix = f"Keep it within {_FIRST_LOAD_BYTES}: choose lighter fonts, or fewer."
    return [_finding(_place(theme.folder / "theme.toml"), 1, "TH111", message, fix)]


def _check_mails(library: Library, theme: Theme) -> list[Finding]:
    found: list[Finding] = []
    for kind in MAILS:
        try:
            render_mail(library, theme.name, kind, sample_mail(kind))
        except (KitError, jinja2.TemplateError, KeyError, TypeError, AttributeError) as error:
            place = _place(theme.find(f"templates/mail/{kind}.html") or theme.folder)
            fix = f"Look at what the template uses; texts stand in locales/{DEFAULT_LANGUAGE}/."
            found.append(_finding(place, 1, "TH206", f"Mail {kind}: {type(error).__name__}: {error}", fix))
    return found


def _place(file: Path) -> str:
    """The file as an editor opens it from here."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
