"""Passwords: argon2id under the pepper, a few at a time. Stores nothing and never shows a password.

One run takes 19 MiB and some 30 ms of a core (m=19456, t=2, p=1: OWASP's Password Storage Cheat Sheet). `AT_ONCE`
of them run at the same time in threads, 38 MiB a process; `WAITING` more wait, others are refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..core.errors import ServiceUnavailable

AT_ONCE: Final = 2
WAITING: Final = 64
SHORTEST: Final = 8
LONGEST: Final = 200
"""Characters of a password."""

T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords. `runs` counts argon2's runs: each answer costs the same, whoever asks."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._argon2 = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._open = 0
        self._nobody: str | None = None
        self.runs = 0

    async def hash(self, password: str) -> str:
        """What is stored of a password. Raises ServiceUnavailable when too many are waiting."""
        prepared = self._prepare(password)
        return await self._run(lambda: self._argon2.hash(prepared))

    async def fits(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one that `stored` was made of.

        Without one (no such account, or none set) it takes as long and says no.
        """
        nobodys = await self._nobodys()
        prepared, against = self._prepare(password), stored or nobodys
        fits = await self._run(lambda: self._verify(against, prepared))
        return fits and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        try:
            return self._argon2.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    async def _nobodys(self) -> str:
        if self._nobody is None:
            self._nobody = await asyncio.to_thread(self._argon2.hash, "nobody's password")
        return self._nobody

    async def _run(self, work: Callable[[], T]) -> T:
        if self._open >= AT_ONCE + WAITING:
            raise ServiceUnavailable("Too many people are logging in right now. Please try again in a moment.")
        self._open += 1
        try:
            self.runs += 1
            # A thread each, and no more of them: a request that is given up leaves its run behind in one.
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._open -= 1

    def _verify(self, stored: str, prepared: str) -> bool:
        try:
            return self._argon2.verify(stored, prepared)
        except (VerificationError, InvalidHashError):
            return False

    def _prepare(self, password: str) -> str:
        """Keyed, so that a stolen database alone lets nobody guess; of one form, however it was typed (RFC 8265)."""
        typed = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        return hmac.digest(self._pepper, b"password\0" + typed, hashlib.sha256).hex()
