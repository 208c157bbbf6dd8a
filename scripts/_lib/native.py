"""Compiles the modules that every call runs through, in an installed product or in a copy of a checkout.

Cython makes C of each source as it is, with no types added and none believed, and the machine's compiler an extension
beside the source. Python takes the extension where it was made for it, and the source anywhere else.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT, lock_path

PACKAGE: Final = "reseller_kit"
FOLDER: Final = ROOT / ".native"
SUFFIX: Final = sysconfig.get_config_var("EXT_SUFFIX")
_FLAGS: Final = ("-shared", "-fPIC", "-O2", "-fwrapv", "-fno-strict-aliasing", "-DNDEBUG", "-w")
_ROOMS: Final = {
    "core": "ids limits pricing rates times usage",
    "core/ledger": "decide lots move state",
    "core/routing": "affinity breaker budget choice speed verdict windows",
    "db/ledger": "batch demands idempotency items needs rows sqlite state writer",
    "flows": "authenticate endpoints heartbeat limiter",
    "flows/call": (
        "admit attempt candidates conversations endings estimate generate job keepalive kinds passage pulse rates"
        " routes serving settle"
    ),
    "telemetry": "access metrics series steps tally",
    "upstream": "connection credentials keyed pool response",
    "web": "access connection cycle dispatch hosts keys responses",
    "web/gateway": "app body calling cors paths plain request stream",
    "wire": (
        "codec codecs completion conversation_name json_body known media members pseudonyms rate_headers sse text_log"
        " texts usage_report"
    ),
    "wire/openai_chat": "answer envelope fields marks messages options request stream template text usage",
}
MODULES: Final = tuple(f"{room}/{name}" for room, names in _ROOMS.items() for name in names.split())
"""What is compiled, as paths below the package without a suffix."""


class NativeFailed(RuntimeError):
    """A module could not be compiled; the text says which and why."""


def ensure_cython() -> None:
    """Make Cython importable by programs that this one starts. Raises NativeFailed."""
    if importlib.util.find_spec("Cython") is not None:
        return
    if not (FOLDER / "Cython").is_dir():
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
        _run(*pip, "install", "--require-hashes", "--target", str(FOLDER), "--requirement", str(lock_path("native")))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(FOLDER), os.environ.get("PYTHONPATH"))))


def build(place: Path, modules: Sequence[str] = MODULES, *, jobs: int = 2) -> list[Path]:
    """Compile in `place`, which holds the package; the extensions that were made. Raises NativeFailed."""
    with tempfile.TemporaryDirectory(prefix="native-") as scratch, ThreadPoolExecutor(jobs) as pool:
        made = list(pool.map(lambda module: _compile(place, module, Path(scratch)), modules))
    _record(place, made)
    return made


def _compile(place: Path, module: str, scratch: Path) -> Path:
    source, name = place / PACKAGE / f"{module}.py", f"{PACKAGE}/{module}".replace("/", ".")
    made, between = place / PACKAGE / f"{module}{SUFFIX}", scratch / f"{name}.c"
    cython = (sys.executable, "-m", "cython", "-3", "-X", "annotation_typing=False", "--module-name", name)
    _run(*cython, "-o", str(between), str(source))
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    _run(*compiler, *_FLAGS, f"-I{sysconfig.get_path('include')}", str(between), "-o", str(scratch / f"{name}.so"))
    made.write_bytes((scratch / f"{name}.so").read_bytes())
    return made


def _record(place: Path, made: Sequence[Path]) -> None:
    """Let pip know of the extensions, so that they go when the product does (PyPA, "Recording installed projects")."""
    for record in place.glob(f"{PACKAGE}-*.dist-info/RECORD"):
        known = record.read_text(encoding="utf-8")
        lines = [f"{path.relative_to(place)},,\n" for path in made]
        record.write_text(known + "".join(line for line in lines if line not in known), encoding="utf-8")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NativeFailed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise NativeFailed(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
