"""Fuzz with atheris, guided by coverage: `python -m tests.fuzz.run CORPUS -max_total_time=300`.

Needs atheris, which is in no lock file: `pip install atheris` into an environment that has the product's. New inputs
that reach new code stay in the folder CORPUS, what fails is written to a file `crash-…`; libFuzzer's other options
work as well.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["reseller_kit"]):
    from tests.fuzz import inputs, targets


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    rng = random.Random(seed)
    found = inputs.changed(data, rng) if rng.random() < 0.85 else None
    return bytes(atheris.Mutate(data, max_size)) if found is None or len(found) > max_size else found


def main() -> None:
    """Runs until libFuzzer ends it."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    if not any(folder.iterdir()):
        for number, seed in enumerate(inputs.seeds(len(targets.TARGETS))):
            (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, "-max_len=65536"], targets.run, custom_mutator=_mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
