"""Builds wheels of projects in this repository and installs them beside each other. Fetches nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def built(source: Path, folder: Path) -> Path:
    """The wheel of a project."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed_in(folder: Path, *sources: Path) -> Path:
    """The folder `site` below `folder`, with the wheels of projects in it as `pip` installs them."""
    wheels = [str(built(source, folder / f"wheel-{source.name}")) for source in sources]
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, *wheels], check=True, capture_output=True)
    return site
