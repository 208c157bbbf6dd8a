"""The tutorial of the docs, pasted block by block into one shell. Only its ports are other ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from scripts._lib import bootstrap
from scripts._lib.bootstrap import ROOT
from scripts._lib.ports import free_port

pytestmark = pytest.mark.thorough

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECONDS = 600
LEFT_OUT = {".git", ".clients", ".hypothesis", "dist", "data"}


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())


def with_ports(text: str, server: int, upstream: int) -> str:
    """Ports of this run; after `init` also in the file that it wrote."""
    moved = text.replace(":8000", f":{server}").replace("--port 8000", f"--port {server}")
    moved = moved.replace("--port 9101", f"--port {upstream}")
    return moved.replace("reseller-kit init\n", f"reseller-kit init\nsed -i 's/:9101/:{upstream}/' tenants.toml\n")


def checkout(folder: Path) -> Path:
    """This checkout under another name, so that what the tutorial makes beside it lies in the test's folder."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in LEFT_OUT:
            (folder / entry.name).symlink_to(entry)
    return folder


def paste(script: str, folder: Path) -> tuple[int, str]:
    """Run it in a shell of its own; whatever that started ends with it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
    process = subprocess.Popen(
        ["bash", "-s"],
        cwd=folder,
        env={**kept, "NO_PROXY": "*", "no_proxy": "*"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(script, timeout=SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, printed


def test_the_tutorial_can_be_pasted(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        bootstrap.install_debian("curl")
    server, upstream = free_port("127.0.0.2", "127.0.0.3"), free_port()
    told = "\n".join(f"echo '== {number}'\n{block}" for number, block in enumerate(blocks()))
    code, printed = paste(
        f"set -e\n{with_ports(told, server, upstream)}\necho the end", checkout(tmp_path / "checkout")
    )
    assert code == 0, printed
    assert printed.rstrip().endswith("the end"), printed
    for shown in (
        "Applied: 18 created.",
        "<title>Aurora AI",
        "<title>Nocturne",
        "It is activated.",
        '"object":"chat.completion"',
        "The books are right.",
    ):
        assert shown in printed, printed
    assert "\n401\n" in printed
    assert 'markup = "40%"' not in (tmp_path / "my-storefronts" / "tenants.toml").read_text()
