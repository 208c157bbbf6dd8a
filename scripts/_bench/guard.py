"""Compares what a call costs with what was recorded, in times the pass-through of the same run. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from scripts._bench.rounds import Figures
from scripts._lib.bootstrap import ROOT

BASELINE: Final = ROOT / "scripts" / "_bench" / "baseline.json"
MOST_TIMES_RECORDED: Final = 1.15
"""A loss above this fails the check."""
RUNS: Final = 3
"""A loss must be seen in so many runs with servers of their own, since two of one version may differ by a tenth."""


def recorded(path: Path = BASELINE) -> dict[str, float]:
    """Times the pass-through, by target and mode. Raises FileNotFoundError where nothing was recorded."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, float])


def record(figures: Sequence[Figures], path: Path = BASELINE) -> None:
    """Keep the figures of a run as what later ones are compared with."""
    times = {_name(each): round(each.times_pass_through, 2) for each in figures if each.times_pass_through}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(times), indent=2) + b"\n")


def objections(figures: Sequence[Figures], baseline: Mapping[str, float]) -> dict[str, str]:
    """What became dearer than it may, and what costs too much beside its base, by target and mode."""
    found = {}
    for each in figures:
        name = _name(each)
        before = baseline.get(name)
        times = each.times_pass_through
        if before and times and times > before * MOST_TIMES_RECORDED:
            found[name] = (
                f"{name}: {times:.2f} times the pass-through, {before:.2f} recorded, {times / before:.2f} of it"
            )
        elif each.times_base is not None and each.most_times is not None and each.times_base > each.most_times:
            found[name] = f"{name}: {each.times_base:.2f} times {each.base}, {each.most_times} at most"
    return found


def lasting(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """What every one of the runs objected to, in the words of the last."""
    return [text for name, text in runs[-1].items() if all(name in run for run in runs)] if runs else []


def _name(each: Figures) -> str:
    return f"{each.target}, {each.mode}"
