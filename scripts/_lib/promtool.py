"""Prometheus's own checks of rules, configuration and metrics, from the machine's package. Starts no server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from scripts._lib import bootstrap

PROGRAM: Final = "promtool"
DEBIAN_PACKAGE: Final = "prometheus"


def promtool(*arguments: str, folder: Path | None = None, stdin: bytes = b"") -> tuple[int, str]:
    """Run it in `folder`; exit code and what it printed. Raises SetupFailed where it can't be installed."""
    if shutil.which(PROGRAM) is None:
        bootstrap.install_debian(DEBIAN_PACKAGE)
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, input=stdin, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()
