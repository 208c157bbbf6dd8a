"""The first thing a newcomer runs, run as a newcomer runs it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts._lib.bootstrap import ROOT
from scripts._lib.ports import free_port, is_listening

UP_SECONDS = 180
COMMAND = (sys.executable, str(ROOT / "scripts" / "demo"))


def test_every_figure_of_the_demo_agrees_with_the_oracle(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d{2,} figures agree, 0 differ$", done.stdout, re.MULTILINE)


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A demo that is up, and the file with what it printed."""
    printed = tmp_path / "printed"
    with printed.open("wb") as sink:
        process = subprocess.Popen([*COMMAND, "--port", str(free_port())], stdout=sink, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + UP_SECONDS
        while "Ctrl-C" not in printed.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.poll() is None, printed.read_text()
        yield process, printed
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_it_stands_until_it_is_told_to_end(standing: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, printed = standing
    text = printed.read_text()
    chat, messages = (line for line in text.splitlines() if line.startswith("curl "))
    assert answer_as_pasted(chat).rstrip().endswith("data: [DONE]")
    assert '"type":"message"' in answer_as_pasted(messages)

    children = children_of(process.pid)
    assert len(children) == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert [child for child in children if child.exists()] == []
    address = re.search(r"http://(127\.0\.0\.\d+):(\d+)/", text)
    assert address
    assert not is_listening(address[1], int(address[2]))
    data_dir = re.search(r"RESELLER_KIT_DATA_DIR=(\S+)", text)
    assert data_dir
    assert not Path(data_dir[1]).exists()


def answer_as_pasted(command: str) -> str:
    """Read the command as a shell would, and send what it says; curl itself is not on every machine."""
    words = shlex.split(command)
    (address,) = (word for word in words if word.startswith("http://"))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    answer = httpx.post(address, headers=headers, content=words[words.index("-d") + 1], trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.text


def children_of(pid: int) -> list[Path]:
    """The entries in /proc of the processes that `pid` started."""
    return [path.parent for path in Path("/proc").glob("[0-9]*/status") if f"PPid:\t{pid}\n" in read_if_there(path)]


def read_if_there(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
