"""Entry point of the `reseller-kit` command and of `python -m reseller_kit`. Decides nothing."""

from __future__ import annotations

import os
import sys

from .cli.root import run


def main() -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
