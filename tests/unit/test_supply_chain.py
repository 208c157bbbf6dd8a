"""What is installed is what the lock says: no known weakness, no package and no start-up file that nobody asked for."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import site
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts._lib.bootstrap import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
MINIMUM = tomllib.loads((ROOT / "requirements" / "minimum-versions.toml").read_text())
OWN = "reseller-kit"
FROM_PYTHON = {"pip", "setuptools", "wheel"}
"""What `python -m venv` itself puts into an environment."""
MAY_RUN_CODE = {"distutils-precedence.pth"}
"""Start-up files with a line of code in them: setuptools' alone."""


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def folders() -> list[Path]:
    return sorted({Path(folder) for folder in site.getsitepackages() if Path(folder).is_dir()})


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_no_lock_has_a_version_with_a_known_weakness(lock: Path) -> None:
    locked = pins(lock)
    below = {
        name: (locked[name], known["at_least"], known["advisories"])
        for name, known in MINIMUM.items()
        if name in locked and Version(locked[name]) < Version(known["at_least"])
    }
    assert below == {}


def test_each_minimum_names_its_advisories_and_a_package_that_we_have() -> None:
    known = {name for lock in LOCKS for name in pins(lock)}
    for name, minimum in MINIMUM.items():
        assert name in known, name
        assert minimum["advisories"], name
        for advisory in minimum["advisories"]:
            assert re.fullmatch(r"CVE-\d{4}-\d{4,7}|GHSA(-[2-9cfghjmpqrvwx]{4}){3}", advisory), advisory


def test_every_installed_package_is_locked_at_its_version() -> None:
    locked = pins(ROOT / "requirements" / "dev.lock")
    installed = {canonicalize_name(one.name): one.version for one in distributions()}
    strangers = {
        name: version
        for name, version in installed.items()
        if name not in FROM_PYTHON | {OWN} and locked.get(name) != version
    }
    assert strangers == {}, (
        "run scripts/test: it makes .venv anew when the lock has changed; atheris is removed by hand"
    )


def recorded() -> Iterator[tuple[Path, str]]:
    """Every start-up file that a package says it brought, with the digest that it had then."""
    for one in distributions():
        for name, digest, _size in csv.reader((one.read_text("RECORD") or "").splitlines()):
            if name.endswith(".pth"):
                yield Path(str(one.locate_file(name))).resolve(), digest


def test_python_starts_with_no_file_that_no_package_brought() -> None:
    brought = dict(recorded())
    for path in (file for folder in folders() for file in sorted(folder.glob("*.pth"))):
        assert path.resolve() in brought, f"{path} is of no installed package: it runs whenever Python starts"
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        assert brought[path.resolve()] == f"sha256={digest}", f"{path} has been changed since it was installed"
        runs = [line for line in path.read_text().splitlines() if re.match(r"import[ \t]", line)]
        assert not runs or path.name in MAY_RUN_CODE, f"{path} runs code whenever Python starts"


def test_nothing_customizes_the_start_of_python() -> None:
    for name in ("sitecustomize.py", "usercustomize.py"):
        found = [folder / name for folder in folders() if (folder / name).exists()]
        assert found == []
    assert Path(sys.prefix) == ROOT / ".venv"
