"""Where the processor time of a call goes: samples of the gateway's stacks under load, drawn as one picture each.

The samples come from py-spy, which is installed into `.peers`; a picture is a plain SVG that names a frame when the
pointer rests on it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

from scripts._bench import cores as cores_module
from scripts._bench import peer_programs, targets
from scripts._bench.program import EXPECTED, say
from scripts._bench.rounds import LoadFailed, run_load
from scripts._bench.scenarios import ALL_TARGETS, Scenario
from scripts._lib.bootstrap import SetupFailed

PY_SPY: Final = "py-spy==0.4.3"
WIDTH: Final = 1200
_SVG: Final = "http://www.w3.org/2000/svg"
_ROW: Final = 15
_LETTER: Final = 6.2
_LEAST: Final = 0.002
_RATE: Final = 200
_LIBRARY: Final = re.compile(r"^.*/(?:site-packages|lib/python[\d.]+|bin)/")
"""Where on the machine a library lies."""
_COLOURS: Final = {"reseller_kit": "#f4a261", "uvicorn": "#8ecae6", "uvloop": "#8ecae6"}
_OTHER_COLOUR: Final = "#d8d8d8"


@dataclass
class Frame:
    """A function where its callers called it, and in how many samples it was seen."""

    name: str
    samples: int = 0
    called: dict[str, Frame] = field(default_factory=dict)


def run(arguments: argparse.Namespace) -> int:
    """Sample and draw; exit code 0, or 1 when py-spy can't be had or calls failed."""
    try:
        spy = peer_programs.environment("py-spy", [PY_SPY]) / "py-spy"
        for backend in arguments.backends:
            for mode, picture in _sampled(arguments, backend, spy).items():
                path = arguments.into / f"flame-{mode}-{backend}.svg"
                path.write_text(picture, encoding="utf-8")
                print(f"{path} ({len(picture) // 1000} kB)")
    except (*EXPECTED, SetupFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _sampled(arguments: argparse.Namespace, backend: str, spy: Path) -> dict[str, str]:
    cores = cores_module.choose()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as name:
        scratch = Path(name)
        with (
            targets.emulator(scratch, cores, 44) as upstream,
            targets.gateway(scratch, cores, upstream, backend) as (target, _),
        ):
            return {
                scenario.name: draw(_stacks(target, scenario, spy, scratch, arguments.calls, cores))
                for scenario in ALL_TARGETS
            }


def _stacks(
    target: targets.Target, scenario: Scenario, spy: Path, scratch: Path, calls: int, cores: cores_module.Cores
) -> Frame:
    """The samples of one load, from which the time before and behind it is left out as far as it is idle."""
    run_load(target, scenario, max(64, calls // 10), 64, cores)
    raw = scratch / f"{scenario.name}.txt"
    # A sampler that stops what it samples would be waited for with the load's core as busy as it is.
    # Threads that wait would be drawn as if they worked, if it were not for who holds the interpreter's lock.
    options = ("--nonblocking", "--gil", "--format", "raw", "--rate", str(_RATE), "-o", str(raw))
    command = [str(spy), "record", *options, "--pid", str(target.pid)]
    say(f"sampling {target.name}, {scenario.name}")
    # It ends with SIGINT, which lets it write what it has.
    with (
        cores_module.pinned(cores.other),
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recording,
    ):
        try:
            if recording.poll() is None:
                run_load(target, scenario, calls, 64, cores)
        finally:
            recording.send_signal(2)
            _, told = recording.communicate(timeout=60)
    if not raw.exists():
        raise LoadFailed(f"py-spy wrote nothing: {told.strip().splitlines()[-1:]}")
    return tree(raw.read_text(encoding="utf-8", errors="replace").splitlines())


def tree(lines: Iterable[str]) -> Frame:
    """The calls that collapsed stacks tell of: `outer;inner;innermost 12` in each line."""
    root = Frame("all")
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not count.isdigit():
            continue
        root.samples += int(count)
        frame = root
        for name in map(_short, stack.split(";")):
            frame = frame.called.setdefault(name, Frame(name))
            frame.samples += int(count)
    return root


def _short(name: str) -> str:
    """Function and file, without the line: a function is one frame wherever in it a sample fell."""
    function, _, place = name.partition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    _, package, rest = path.rpartition("reseller_kit/")
    path = package + rest if package else _LIBRARY.sub("", path)
    return f"{function} ({path})" if path else function


def draw(root: Frame) -> str:
    """The picture: as wide as its share of the samples, callers above what they call."""
    boxes = list(_boxes(root, 0.0, 0, root.samples))
    height = (1 + max((row for _, _, row, _ in boxes), default=0)) * _ROW + _ROW
    parts = [
        f'<svg xmlns="{_SVG}" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for frame, left, row, width in boxes:
        share = f"{100 * frame.samples / root.samples:.1f} %"
        shown = frame.name.partition(" (")[0]
        letters = int((width - 4) / _LETTER)
        text = shown if len(shown) <= letters else shown[: letters - 1] + "…" if letters > 3 else ""
        parts.append(
            f'<g><title>{escape(frame.name)}: {share}</title><rect x="{left:.1f}" y="{row * _ROW}" width="{width:.1f}" '
            f'height="{_ROW - 1}" fill="{_colour(frame.name)}"/>'
            + (f'<text x="{left + 2:.1f}" y="{row * _ROW + 10}">{escape(text)}</text>' if text else "")
            + "</g>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _boxes(frame: Frame, left: float, row: int, total: int) -> Iterator[tuple[Frame, float, int, float]]:
    if not total or frame.samples / total < _LEAST:
        return
    yield frame, left, row, WIDTH * frame.samples / total
    for called in sorted(frame.called.values(), key=lambda each: each.name):
        yield from _boxes(called, left, row + 1, total)
        left += WIDTH * called.samples / total


def _colour(name: str) -> str:
    return next((colour for package, colour in _COLOURS.items() if f"({package}" in name), _OTHER_COLOUR)
