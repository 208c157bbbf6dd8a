"""Runs the tests of the ledger, the dialects and faults on a copy of the checkout with compiled modules."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts._lib import native
from scripts._lib.bootstrap import VENV
from scripts._lib.mutations import ANYWHERE, copy_checkout

_TESTS: Final = (
    "tests/unit/core",
    "tests/unit/flows",
    "tests/unit/upstream",
    "tests/unit/web",
    "tests/unit/wire",
    "tests/integration/test_http_connection.py",
    "tests/integration/test_stalled_requests.py",
    "tests/e2e/test_calls.py",
    "tests/e2e/test_dialects.py",
    "tests/faults",
)


def main() -> int:
    """The exit code of the tests; 1 when a module can't be compiled."""
    with tempfile.TemporaryDirectory(prefix="native-") as scratch:
        copy = copy_checkout(Path(scratch) / "copy")
        # Programs that tests start look for their environment beside themselves.
        (copy / ".venv").symlink_to(VENV)
        try:
            native.ensure_cython()
            native.build(copy)
        except native.NativeFailed as error:
            print(f"native: {error}", file=sys.stderr)
            return 1
        ledger = sorted(
            str(path.relative_to(copy)) for path in (copy / "tests" / "integration").glob("test_ledger_*.py")
        )
        command = [sys.executable, "-m", "pytest", "--quiet", "-m", ANYWHERE, *_TESTS, *ledger]
        return subprocess.run(command, cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
