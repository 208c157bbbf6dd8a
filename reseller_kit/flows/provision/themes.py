"""Whether the themes that a manifest names are installed and take its brands' values. Renders nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

from ...core.manifest import Document, Report, Tenant
from ...core.theme import Problem, resolve_settings, resolve_tokens
from ...core.toml_lines import Path
from ...theming.brand import BRAND_TEXTS, TRANSLATED
from ...theming.library import Theme
from ...theming.texts import DEFAULT_LANGUAGE


def theme_check(themes: Mapping[str, Theme]) -> Callable[[Document, Report], None]:
    """A check of a manifest against the installed themes."""

    def check(document: Document, report: Report) -> None:
        for index, tenant in enumerate(document.tenants):
            path: Path = ("tenants", index)
            if tenant.theme in themes:
                _check_brand(tenant, themes[tenant.theme], (*path, "brand"), report)
                _check_languages(tenant, themes[tenant.theme], (*path, "brand", "locales"), report)
            elif not report.is_broken((*path, "theme")):
                near = difflib.get_close_matches(tenant.theme, list(themes), n=1)
                fix = f'Did you mean "{near[0]}"?' if near else f"Installed are {', '.join(sorted(themes))}."
                report.add("RK502", (*path, "theme"), f"The theme {tenant.theme!r} is not installed.", fix)

    return check


def _check_brand(tenant: Tenant, theme: Theme, path: Path, report: Report) -> None:
    if report.is_broken((*path, "tokens")) or report.is_broken((*path, "settings")):
        return
    tokens = {
        name: value.light if value.dark is None else {"light": value.light, "dark": value.dark}
        for name, value in tenant.brand.tokens.items()
    }
    for problem in (*resolve_tokens(theme.chain, tokens)[1], *resolve_settings(theme.chain, tenant.brand.settings)[1]):
        _report(problem, path, report)
    _check_texts(tenant.brand.texts, BRAND_TEXTS, (*path, "texts"), report)
    for lang, words in tenant.brand.translations.items():
        _check_texts(words, TRANSLATED, (*path, "translations", lang), report)


def _check_texts(names: Iterable[str], known: Sequence[str], path: Path, report: Report) -> None:
    for name in names:
        if name not in known:
            report.add("RK503", (*path, name), f"There is no text {name!r}.", f"There are {', '.join(known)}.")


def _check_languages(tenant: Tenant, theme: Theme, path: Path, report: Report) -> None:
    """Warns of a language whose pages would be in the default one."""
    if report.is_broken(path):
        return
    for lang in tenant.brand.locales:
        if not theme.texts_in(lang):
            message = f"The theme {theme.name} has no texts in {lang!r}; its pages would be in {DEFAULT_LANGUAGE!r}."
            fix = f"There are {', '.join(sorted(theme.texts))}. Take {lang!r} out, or add locales/{lang} to the theme."
            report.add("RK507", path, message, fix, level="warning")


def _report(problem: Problem, path: Path, report: Report) -> None:
    if problem.rule == "contrast":
        report.add("RK504", (*path, "tokens"), problem.message, problem.fix, level="warning")
    else:
        report.add("RK503", (*path, *problem.path), problem.message, problem.fix)
