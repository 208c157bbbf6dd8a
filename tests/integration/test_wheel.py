"""What is installed is what was checked: data files that the product reads are inside the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts._lib.bootstrap import ROOT


@pytest.mark.thorough
def test_the_wheel_holds_the_catalogue_the_themes_and_the_example(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        packed = archive.read("reseller_kit/catalogue/catalogue.json")
    assert packed == (ROOT / "reseller_kit" / "catalogue" / "catalogue.json").read_bytes()
    assert {"reseller_kit/_tenants.example.toml", "reseller_kit/_themes/base/theme.toml"} <= names
    assert not any(name.startswith(("scripts/", "tests/")) for name in names)
