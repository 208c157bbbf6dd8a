"""What is installed is what was checked: the wheel works without the repository, and finds themes of other packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts._lib.bootstrap import ROOT
from tests.support.wheels import built, installed_in

HARBOUR = ROOT / "examples" / "theme-harbour"


@pytest.mark.thorough
def test_the_wheel_holds_the_catalogue_the_themes_and_the_example(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(ROOT, tmp_path)) as archive:
        names = set(archive.namelist())
        packed = archive.read("reseller_kit/catalogue/catalogue.json")
    assert packed == (ROOT / "reseller_kit" / "catalogue" / "catalogue.json").read_bytes()
    shipped = {"_tenants.example.toml", "_themes/base/theme.toml", "py.typed", "db/migrations/env.py"}
    assert {f"reseller_kit/{name}" for name in shipped} <= names
    assert not any(name.startswith(("scripts/", "tests/", "examples/")) for name in names)


@pytest.mark.thorough
def test_it_works_installed_elsewhere_and_finds_a_theme_of_another_package(tmp_path: Path) -> None:
    site, data = installed_in(tmp_path, ROOT, HARBOUR), tmp_path / "data"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "RESELLER_KIT_DATA_DIR": str(data)}

    def ask(*arguments: str) -> dict[str, object]:
        command = [sys.executable, "-m", "reseller_kit", *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    themes = ask("theme", "list")["themes"]
    assert isinstance(themes, list)
    paths = {theme["name"]: theme["path"] for theme in themes}
    assert {"base", "daylight", "harbour"} <= paths.keys()
    assert all(str(path).startswith(str(site)) for path in paths.values())
    made = ask("tenant", "create", "aurora", "--theme", "harbour", "--host", "aurora.localhost")
    assert (made["slug"], made["theme"]) == ("aurora", "harbour")
    assert ask("db", "check")["ok"] is True
