"""Finds or installs the gateways of others into `.peers`: Portkey from npm, LiteLLM from PyPI, a proxy built with Go.

What is already there is used. nginx, Go and Node come from the machine; nothing of it is installed system-wide.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT, SetupFailed

FOLDER: Final = ROOT / ".peers"
LITELLM: Final = "litellm[proxy]==1.106.2"
# Portkey's streams fail with later versions of the server that it runs on.
PORTKEY: Final = {"@portkey-ai/gateway": "1.15.2", "@hono/node-server": "1.13.8"}
_PROXY: Final = ROOT / "scripts" / "_bench" / "proxy" / "main.go"
_INSTALL_SECONDS: Final = 900


def nginx() -> str:
    """The machine's nginx. Raises SetupFailed where there is none."""
    return _program("nginx", "apt-get install nginx")


def go_proxy() -> Path:
    """The proxy in scripts/_bench/proxy, built anew when its source is newer. Raises SetupFailed."""
    built = FOLDER / "proxy"
    if not built.exists() or built.stat().st_mtime < _PROXY.stat().st_mtime:
        go = _program("go", "apt-get install golang-go")
        FOLDER.mkdir(exist_ok=True)
        _run([go, "build", "-o", str(built), str(_PROXY)], ROOT)
    return built


def portkey() -> tuple[str, Path]:
    """Node, and the program of Portkey's gateway. Raises SetupFailed."""
    node = _program("node", "apt-get install nodejs npm")
    folder = FOLDER / "portkey"
    program = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    stamp = folder / "package.json"
    wanted = json.dumps({"private": True, "dependencies": PORTKEY, "overrides": _overrides()})
    if not program.exists() or not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        npm = _program("npm", "apt-get install npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stamp.write_text(wanted, encoding="utf-8")
        _run([npm, "install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    return node, program


def litellm() -> Path:
    """LiteLLM's program, its bytecode compiled. Raises SetupFailed."""
    bin_folder = environment("litellm", [LITELLM])
    compiled = FOLDER / "litellm" / ".compiled"
    if not compiled.exists():
        # Its exit code tells of templates among the packages that are no Python.
        command = [str(bin_folder / "python"), "-m", "compileall", "-q", str(FOLDER / "litellm" / "lib")]
        subprocess.run(command, capture_output=True, check=False, timeout=_INSTALL_SECONDS)
        compiled.touch()
    return bin_folder / "litellm"


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The folder of programs of an environment of its own, made with these packages. Raises SetupFailed."""
    folder = FOLDER / name
    stamp, wanted = folder / ".installed", "\n".join(requirements)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        FOLDER.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", str(folder)], FOLDER)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*pip, "install", *requirements], FOLDER)
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _overrides() -> Mapping[str, str]:
    return {name: version for name, version in PORTKEY.items() if name.startswith("@hono/")}


def _program(name: str, remedy: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise SetupFailed(f"{name} is missing; {remedy}")
    return found


def _run(command: Sequence[str], folder: Path) -> None:
    print(f"… {Path(command[0]).name} {' '.join(command[1:3])} in {folder}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SetupFailed(f"{Path(command[0]).name} took more than {_INSTALL_SECONDS} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise SetupFailed(f"{Path(command[0]).name} failed: {lines[-1] if lines else done.returncode}")
