from __future__ import annotations

import asyncio
import threading
import time

import pytest

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.vault import passwords
from reseller_kit.vault.passwords import AT_ONCE, WAITING, Passwords

PEPPER = b"p" * 32


async def test_a_password_fits_its_own_hash_alone() -> None:
    known = Passwords(PEPPER)
    stored = await known.hash("correct horse")
    assert "correct" not in stored
    assert await known.fits(stored, "correct horse")
    assert not await known.fits(stored, "correct horse ")
    assert not await known.fits(stored, "")
    assert await known.hash("correct horse") != stored


async def test_a_hash_is_worth_nothing_without_the_pepper() -> None:
    stored = await Passwords(PEPPER).hash("correct horse")
    assert not await Passwords(b"q" * 32).fits(stored, "correct horse")


async def test_the_same_password_typed_on_another_system_fits() -> None:
    known = Passwords(PEPPER)
    stored = await known.hash("caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait")
    assert await known.fits(stored, "cafe\N{COMBINING ACUTE ACCENT} au lait")


async def test_a_long_password_counts_whole_and_any_text_is_taken() -> None:
    known = Passwords(PEPPER)
    stored = await known.hash("x" * 199 + "y")
    assert not await known.fits(stored, "x" * 200)
    assert not await known.fits(stored, "\ud800\0" * 50)


@pytest.mark.parametrize("stored", [None, "", "no hash", "$argon2id$v=19$m=8,t=1,p=1$x$y"])
async def test_no_hash_costs_the_same_one_run_and_says_no(stored: str | None) -> None:
    known = Passwords(PEPPER)
    assert not await known.fits(stored, "nobody's password")
    assert known.runs == 1


async def test_outdated_hashes_are_known() -> None:
    known = Passwords(PEPPER)
    assert not known.outdated(await known.hash("correct horse"))
    assert known.outdated("no hash")


async def test_only_a_few_run_at_once_and_too_many_are_refused() -> None:
    known, lock = Passwords(PEPPER), threading.Lock()
    running, most = 0, 0

    def slow(_: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return "hash"

    known._argon2 = type("Slow", (), {"hash": staticmethod(slow)})()
    results = await asyncio.gather(*(known.hash("x") for _ in range(AT_ONCE + WAITING + 5)), return_exceptions=True)
    assert most == AT_ONCE
    assert sum(isinstance(result, ServiceUnavailable) for result in results) == 5
    assert await known.hash("x") == "hash"


def test_the_limits_are_stated() -> None:
    assert passwords.__doc__ is not None
    assert "38 MiB" in passwords.__doc__
