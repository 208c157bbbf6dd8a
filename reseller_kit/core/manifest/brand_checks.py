"""What must hold within a brand of a manifest. What its theme takes is checked by `flows.provision.themes`."""

from __future__ import annotations

from typing import Final

from ..menu import MAX_FOOTER, MAX_MENU, PAGES
from ..toml_lines import Path
from .findings import Report
from .shop_structs import Brand, BrandLink

_MOST: Final = {"menu": MAX_MENU, "footer": MAX_FOOTER}


def check_brand(brand: Brand, path: Path, report: Report) -> None:
    """Report links that say nothing or are too many, and languages that no page is in."""
    for name, links in (("menu", brand.menu), ("footer", brand.footer)):
        _check_links(links, (*path, name), _MOST[name], report)
    for lang in brand.translations:
        if lang not in brand.locales and not report.is_broken((*path, "locales")):
            message = f"The brand has texts in {lang!r}, which none of its pages is in."
            report.add(
                "RK334",
                (*path, "translations", lang),
                message,
                f"Add {lang!r} to locales, or drop it.",
                level="warning",
            )


def _check_links(links: tuple[BrandLink, ...], path: Path, most: int, report: Report) -> None:
    if len(links) > most:
        report.add("RK333", path, f"{len(links)} links are more than fit.", f"Give at most {most}.")
    for index, link in enumerate(links):
        if link.title is None and link.to and link.to not in PAGES:
            fix = f"Give it a title. Only these have names of their own: {', '.join(PAGES)}."
            report.add("RK333", (*path, index), f"The link to {link.to} says nothing.", fix)
