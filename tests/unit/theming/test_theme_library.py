from __future__ import annotations

from pathlib import Path

import pytest

from reseller_kit import theming
from reseller_kit.core.errors import InvalidManifest, NotFound
from reseller_kit.theming.library import PLUGINS, installed_themes, read_themes
from reseller_kit.theming.sample import sample_page

MANIFEST = 'schema = 1\nname = "{name}"\ntitle = "T"\nversion = "1.0.0"\nlicense = "MIT"\n{rest}'


def write_theme(root: Path, name: str, rest: str = "", **files: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "theme.toml").write_text(MANIFEST.format(name=name, rest=rest), encoding="utf-8")
    for path, text in files.items():
        file = folder / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def write_template(folder: Path, path: str, text: str) -> None:
    file = folder / "templates" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_cycle_is_named(tmp_path: Path) -> None:
    write_theme(tmp_path, "one", 'extends = "two"')
    write_theme(tmp_path, "two", 'extends = "one"')
    with pytest.raises(InvalidManifest, match="circle: one → two → one"):
        read_themes(tmp_path)


def test_an_unknown_parent_is_an_error_and_no_fallback(tmp_path: Path) -> None:
    write_theme(tmp_path, "one", 'extends = "nowhere"')
    with pytest.raises(InvalidManifest, match="extends nowhere, which is not installed"):
        read_themes(tmp_path)


def test_four_levels_are_too_many(tmp_path: Path) -> None:
    for name, parent in (("a", ""), ("b", "a"), ("c", "b"), ("d", "c")):
        write_theme(tmp_path, name, f'extends = "{parent}"' if parent else "")
    with pytest.raises(InvalidManifest, match="4 levels deep"):
        read_themes(tmp_path)


def test_a_folder_bears_its_themes_name(tmp_path: Path) -> None:
    write_theme(tmp_path, "one").rename(tmp_path / "other")
    with pytest.raises(InvalidManifest, match="lies in folder other"):
        read_themes(tmp_path)


def test_a_theme_for_another_version_is_refused(tmp_path: Path) -> None:
    write_theme(tmp_path, "one", 'requires = ">=999"')
    with pytest.raises(InvalidManifest, match="requires version >=999"):
        read_themes(tmp_path)


def test_what_a_parents_page_includes_is_the_childs_own(tmp_path: Path) -> None:
    parent = write_theme(tmp_path, "parent", 'extends = "base"')
    child = write_theme(tmp_path, "child", 'extends = "parent"')
    write_template(parent, "a.html", "parent[{% include 'part.html' %}{% block b %}old{% endblock %}]")
    write_template(parent, "part.html", "parent's part ")
    write_template(child, "a.html", "{% extends '!parent/a.html' %}{% block b %}new {{ super() }}{% endblock %}")
    write_template(child, "part.html", "child's part ")
    library = theming.load(tmp_path)
    assert theming.render(library, "child", "a.html", sample_page()) == "parent[child's part new old]"
    assert theming.render(library, "parent", "a.html", sample_page()) == "parent[parent's part old]"


def test_a_template_that_changed_since_it_was_compiled_is_shown_as_it_is_now(tmp_path: Path) -> None:
    folder = write_theme(tmp_path, "child", 'extends = "base"')
    for text in ("one", "two", "one"):
        write_template(folder, "a.html", text)
        assert theming.render(theming.load(tmp_path), "child", "a.html", sample_page()) == text


def test_a_template_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    folder = write_theme(tmp_path, "child", 'extends = "base"')
    write_template(folder, "a.html", "{% include '../theme.toml' %}")
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")
    theme = theming.load(tmp_path).themes["child"]
    assert theme.find("templates/../../secret.html") is None


def test_an_unknown_theme_or_template_is_not_found() -> None:
    library = theming.load()
    with pytest.raises(NotFound):
        theming.render(library, "nowhere", "storefront/home.html", sample_page())
    with pytest.raises(NotFound):
        theming.render(library, "base", "storefront/nothing.html", sample_page())


def test_assets_are_found_by_hashed_path_alone() -> None:
    library = theming.load()
    theme = library.themes["midnight"]
    script = theme.assets["storefront.js"]
    path = script.url.removeprefix("/theme/static/")
    assert theming.asset(library, "midnight", path) == script
    assert theming.asset(library, "midnight", "storefront.js") is None
    assert theming.asset(library, "midnight", "storefront.000000000000.js") is None
    assert theming.asset(library, "midnight", "../theme.toml") is None
    assert not [name for name in theme.assets if name.endswith((".md", ".toml"))]
    # What every page needs is in the one sheet of the brand; the console's and the operator's pages have their own.
    sheets = {name for name in theme.assets if name.endswith(".css")}
    assert not sheets & {"base.css", "kit.css", "forms.css", "account.css", "billing.css", "shop.css"}


def test_each_vendored_font_is_recorded_with_its_licence() -> None:
    theme = theming.load().themes["base"]
    record = (theme.folder / "static" / "THIRD_PARTY.md").read_text(encoding="utf-8")
    for name, font in theme.manifest.fonts.items():
        if font.file is not None:
            assert f"`{font.file}`" in record
            licence = theme.assets[f"licenses/{name}-OFL.txt"].body.decode()
            assert "SIL OPEN FONT LICENSE" in licence


def plug_in(folder: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that names itself as themes, as an installer leaves it."""
    facts = folder / "plugged-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{PLUGINS}]\nplugged = {value}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_package_brings_a_theme_and_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "plugged_theme"
    write_theme(package, "quay", 'extends = "base"\n')
    (package / "__init__.py").write_text("raise RuntimeError('it was run')")
    assert "quay" not in installed_themes()
    plug_in(tmp_path, "plugged_theme", monkeypatch)
    assert installed_themes()["quay"].folder == (package / "quay").resolve()


def test_a_package_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path, "no_such_theme", monkeypatch)
    with pytest.raises(InvalidManifest, match="no installed package"):
        installed_themes()
