"""Themes on disk to values: manifests, inheritance, texts and hashed static files. Renders nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

import reseller_kit
from reseller_kit.core.errors import InvalidManifest, InvalidRequest
from reseller_kit.core.theme import MAX_LEVELS, ThemeManifest, decode_manifest, satisfies

from .texts import read_texts

PLUGINS: Final = "reseller_kit.themes"
"""The entry points of packages whose folder holds themes."""
STATIC_PREFIX: Final = "/theme/static/"
"""Where the web layer serves `asset`; every URL below it carries its content's hash and never changes."""
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served; other files under static/ (notes, sheets that make up the brand's one) are not."""
_HASH_LENGTH: Final = 12


class Asset(Struct, frozen=True):
    """A static file. `url` is its public path, `body` its bytes."""

    url: str
    content_type: str
    body: bytes


class Theme(Struct, frozen=True, eq=False, kw_only=True):
    """A theme with everything it inherits. `folders` and `chain` run from the root to the theme itself."""

    name: str
    chain: tuple[ThemeManifest, ...]
    folders: tuple[Path, ...]
    assets: dict[str, Asset]
    texts: dict[str, dict[str, str]]

    @property
    def manifest(self) -> ThemeManifest:
        """The theme's own manifest."""
        return self.chain[-1]

    @property
    def folder(self) -> Path:
        """The theme's own folder."""
        return self.folders[-1]

    def texts_in(self, lang: str) -> dict[str, str]:
        """The texts in a language, or in the one that it is a variety of; empty where there are none."""
        return self.texts.get(lang) or self.texts.get(lang.split("-", maxsplit=1)[0]) or {}

    def find(self, path: str, start: str | None = None) -> Path | None:
        """The file at `path` in the theme or, failing that, its nearest parent; from the ancestor `start` if given."""
        names = [manifest.name for manifest in self.chain]
        below = names.index(start) + 1 if start in names else 0 if start else len(names)
        for folder in reversed(self.folders[:below]):
            file = (folder / path).resolve()
            if file.is_file() and file.is_relative_to(folder.resolve()):
                return file
        return None


def themes_dir() -> Path:
    """Where the themes that come with the product lie: inside the wheel, or beside the package in a checkout."""
    package = Path(reseller_kit.__file__).parent
    installed = package / "_themes"
    return (installed if installed.is_dir() else package.parent / "themes").resolve()


def plugin_folders() -> tuple[Path, ...]:
    """Folders of installed packages that name themselves as themes, by the names of their entry points.

    Nothing of a package is run. Raises InvalidManifest for an entry point whose package is not there.
    """
    found = []
    for point in sorted(entry_points(group=PLUGINS), key=lambda point: (point.name, point.value)):
        spec = None if "." in point.value else find_spec(point.value)
        places = [] if spec is None else list(spec.submodule_search_locations or [])
        if not places:
            raise InvalidManifest(
                f"The entry point {point.name} of {PLUGINS} names {point.value!r}, which is no installed package.",
                fix="Install the package of the theme again, or remove it.",
            )
        found.append(Path(places[0]).resolve())
    return tuple(found)


def installed_themes() -> dict[str, Theme]:
    """The themes that come with the product, and those of installed packages. Raises as `read_themes` does."""
    return read_themes(themes_dir(), *plugin_folders())


def read_themes(*folders: Path) -> dict[str, Theme]:
    """Every theme in the given folders' sub-folders, by name; a later folder's theme replaces an earlier one's.

    Raises InvalidManifest for a manifest that can't be read, a folder that is not named as its theme, an unknown
    parent, a cycle, more than three levels, or a theme that asks for another version of the product.
    """
    found: dict[str, tuple[Path, ThemeManifest]] = {}
    for file in (file for folder in folders for file in sorted(folder.glob("*/theme.toml"))):
        manifest = read_manifest(file.parent)
        found[manifest.name] = (file.parent, manifest)
    return {name: _inherit(name, found) for name in sorted(found)}


def read_manifest(folder: Path) -> ThemeManifest:
    """One theme's manifest. Raises InvalidManifest as `read_themes` does."""
    try:
        text = (folder / "theme.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidManifest(f"{folder.name}/theme.toml cannot be read: {reason}.", fix="Create it.") from None
    manifest = decode_manifest(text, folder.name)
    if manifest.name != folder.name:
        raise InvalidManifest(f"Theme {manifest.name} lies in folder {folder.name}.", fix="Give both the same name.")
    try:
        suits = satisfies(manifest.requires, reseller_kit.__version__)
    except InvalidRequest as error:
        raise InvalidManifest(f"{folder.name}/theme.toml: {error.message}", fix=error.fix) from None
    if not suits:
        raise InvalidManifest(
            f"Theme {manifest.name} requires version {manifest.requires}; this is {reseller_kit.__version__}.",
            fix="Install a version of the theme that suits.",
        )
    return manifest


def _inherit(name: str, found: Mapping[str, tuple[Path, ThemeManifest]]) -> Theme:
    names = _chain_of(name, found)
    folders = tuple(found[link][0] for link in names)
    layers = {name for link in names for name in found[link][1].assets.css}
    return Theme(
        name=name,
        chain=tuple(found[link][1] for link in names),
        folders=folders,
        assets=_read_assets(folders, layers),
        texts=read_texts(folders),
    )


def _chain_of(name: str, found: Mapping[str, tuple[Path, ThemeManifest]]) -> list[str]:
    names = [name]
    while (parent := found[names[0]][1].extends) is not None:
        if parent in names:
            raise InvalidManifest(
                f"Themes extend each other in a circle: {' → '.join([*reversed(names), parent])}.",
                fix=f"Change extends in {names[0]}/theme.toml.",
            )
        if parent not in found:
            raise InvalidManifest(
                f"Theme {names[0]} extends {parent}, which is not installed.",
                fix=f"Installed are {', '.join(sorted(found))}.",
            )
        names.insert(0, parent)
    if len(names) > MAX_LEVELS:
        raise InvalidManifest(
            f"Theme {name} is {len(names)} levels deep: {' → '.join(reversed(names))}.",
            fix=f"At most {MAX_LEVELS} levels are allowed.",
        )
    return names


def _read_assets(folders: tuple[Path, ...], layers: Collection[str]) -> dict[str, Asset]:
    """Static files by their path below `static/`; a child's file replaces its parent's.

    `layers` make up the brand's sheet.
    """
    assets: dict[str, Asset] = {}
    for static in (folder / "static" for folder in folders):
        for file in sorted(static.rglob("*")):
            content_type = CONTENT_TYPES.get(file.suffix)
            if content_type is None or not file.is_file():
                continue
            path = file.relative_to(static)
            if path.as_posix() in layers:
                continue
            body = file.read_bytes()
            hashed = path.with_name(f"{path.stem}.{content_hash(body)}{path.suffix}")
            assets[path.as_posix()] = Asset(STATIC_PREFIX + hashed.as_posix(), content_type, body)
    return assets


def content_hash(body: bytes) -> str:
    """The part of a URL that changes whenever the content does."""
    return hashlib.sha256(body).hexdigest()[:_HASH_LENGTH]
