"""Delivers events to webhooks: signed, retried with growing delays, and with the faults that were asked for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from scripts._paddle.account import Account, Entity
from scripts._paddle.faults import Faults

ANSWER_SECONDS: Final = 5.0
SHUFFLE_IDLE_SECONDS: Final = 0.2
_KINDS: Final = ("drop", "delay", "forge", "duplicate", "stale")


@dataclass
class Notification:
    """An event on its way to one destination. `stale_seconds`: how far in the past the next attempt is signed."""

    account: Account
    event: Entity
    identifier: str
    url: str
    secrets: Sequence[str]
    origin: str = "event"
    status: str = "not_attempted"
    attempts: int = 0
    stale_seconds: float = 0.0

    @property
    def body(self) -> bytes:
        """The bytes that are signed and sent."""
        return msgspec.json.encode(self.event | {"notification_id": self.identifier})

    def shown(self) -> dict[str, Any]:
        """What the API shows of it."""
        return {
            "id": self.identifier,
            "type": self.event["event_type"],
            "status": self.status,
            "payload": self.event,
            "occurred_at": self.event["occurred_at"],
            "origin": self.origin,
            "times_attempted": self.attempts,
            "destination": self.url,
        }


def signature(secrets: Sequence[str], body: bytes, timestamp: int) -> str:
    """The header `Paddle-Signature`: one `h1` for each secret."""
    signed = [hmac.new(secret.encode(), b"%d:%b" % (timestamp, body), hashlib.sha256).hexdigest() for secret in secrets]
    return ";".join([f"ts={timestamp}", *(f"h1={found}" for found in signed)])


class Courier:
    """Sends notifications in their order, one at a time, unless faults or retries say otherwise."""

    def __init__(self, faults: Faults, journal: deque[dict[str, Any]], retry_seconds: float, retries: int) -> None:
        self._faults, self._journal = faults, journal
        self._retry_seconds, self._retries = retry_seconds, retries
        self._client = httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS)
        self._queue: asyncio.Queue[Notification] = asyncio.Queue()
        self._held: list[Notification] = []
        self._release: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._worker = self._loop.create_task(self._work())
        # Shuffled runs are the same each time.
        self._random = random.Random(7)  # noqa: S311  # an order, not a secret
        self.known: dict[str, Notification] = {}
        self.pending = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def close(self) -> None:
        """Send nothing more."""
        self._worker.cancel()
        await self._client.aclose()

    def tell(self, account: Account, event: Entity, *, origin: str = "event") -> list[Notification]:
        """Notify everyone who listens to events of this type."""
        targets = [(account.webhook_url, list(account.secrets))] if account.webhook_url and account.secrets else []
        for setting in account.tables["notification_settings"].values():
            names = {kind["name"] for kind in setting["subscribed_events"]}
            if setting["active"] and event["event_type"] in names:
                targets.append((setting["destination"], [setting["endpoint_secret_key"]]))
        made = [
            Notification(account, event, account.clock.new_id("ntf"), url, secrets, origin) for url, secrets in targets
        ]
        for notification in made:
            self.known[notification.identifier] = notification
            self._count(1)
            self._place(notification)
        return made

    def listen(self, account: Account, event: Entity) -> None:
        """Notify everyone who listens, once, of an event that just happened."""
        self.tell(account, event)

    def release(self) -> None:
        """Send what a shuffle still holds."""
        held, self._held = self._held, []
        self._random.shuffle(held)
        for notification in held:
            self._queue.put_nowait(notification)

    def _count(self, change: int) -> None:
        self.pending += change
        if self.pending:
            self.idle.clear()
        else:
            self.idle.set()

    def _place(self, notification: Notification) -> None:
        shuffle = self._faults.take({"shuffle"}, notification.event["event_type"])
        if shuffle is None:
            self._queue.put_nowait(notification)
            return
        self._held.append(notification)
        if self._release is not None:
            self._release.cancel()
        if len(self._held) >= shuffle.count:
            self.release()
        else:
            self._release = self._loop.call_later(SHUFFLE_IDLE_SECONDS, self.release)

    async def _work(self) -> None:
        while True:
            notification = await self._queue.get()
            # What goes along with it counts too: until its copies are sent there is no rest.
            self._count(1)
            await self._take_up(notification)
            self._count(-1)

    async def _take_up(self, notification: Notification) -> None:
        """The first attempt, or another one, with what is to go wrong with it."""
        found = self._faults.take_each(_KINDS, notification.event["event_type"])
        if "drop" in found:
            notification.status = "failed"
            self._note(notification, "dropped")
            self._count(-1)
            return
        if "delay" in found:
            self._loop.call_later(found["delay"].seconds, self._queue.put_nowait, notification)
            return
        for _ in range(found["forge"].count if "forge" in found else 0):
            await self._forge(notification)
        notification.stale_seconds = found["stale"].seconds if "stale" in found else 0.0
        await self._send(notification)
        for _ in range(found["duplicate"].count if "duplicate" in found else 0):
            await self._duplicate(notification)

    async def _send(self, notification: Notification) -> None:
        notification.attempts += 1
        body, timestamp = notification.body, int(time.time() - notification.stale_seconds)
        status = await self._post(notification.url, body, signature(notification.secrets, body, timestamp))
        self._note(notification, status)
        if isinstance(status, int) and 200 <= status < 300:
            notification.status = "delivered"
            self._count(-1)
        elif notification.attempts > self._retries:
            notification.status = "failed"
            self._count(-1)
        else:
            notification.status = "needs_retry"
            wait = self._retry_seconds * 2 ** (notification.attempts - 1)
            self._loop.call_later(wait, self._queue.put_nowait, notification)

    async def _duplicate(self, notification: Notification) -> None:
        """A copy as a replay makes it: the same event, another notification."""
        copy = Notification(
            notification.account,
            notification.event,
            notification.account.clock.new_id("ntf"),
            notification.url,
            notification.secrets,
            origin="replay",
        )
        body = copy.body
        status = await self._post(copy.url, body, signature(copy.secrets, body, int(time.time())))
        self._note(copy, status)

    async def _forge(self, notification: Notification) -> None:
        """A copy under another event's id that nobody who knows the secret has signed."""
        forged = notification.event | {"event_id": notification.account.clock.new_id("evt")}
        body = msgspec.json.encode(forged | {"notification_id": notification.account.clock.new_id("ntf")})
        status = await self._post(notification.url, body, signature(["forged"], body, int(time.time())))
        self._note(notification, status, forged=True)

    async def _post(self, url: str, body: bytes, signed: str) -> int | str:
        target, host = reachable(url)
        headers = {"content-type": "application/json", "paddle-signature": signed, "user-agent": "Paddle", "host": host}
        try:
            answer = await self._client.post(target, content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        return answer.status_code

    def _note(self, notification: Notification, status: int | str, *, forged: bool = False) -> None:
        self._journal.append(
            {
                "at": time.time(),
                "event_id": notification.event["event_id"],
                "event_type": notification.event["event_type"],
                "object_id": notification.event["data"]["id"],
                "notification_id": notification.identifier,
                "attempt": notification.attempts,
                "url": notification.url,
                "status": status,
                "forged": forged,
            }
        )


def reachable(url: str) -> tuple[str, str]:
    """(URL to connect to, Host to send): names under `localhost` are this machine without asking anybody."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    if name != "localhost" and not name.endswith(".localhost"):
        return url, parts.netloc
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"127.0.0.1{port}")), parts.netloc


def is_loopback(url: str) -> bool:
    """Whether a webhook's URL stays on this machine."""
    name = urlsplit(url).hostname or ""
    return name == "localhost" or name.endswith(".localhost") or name.startswith("127.") or name == "::1"
