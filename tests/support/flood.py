"""Many webhooks over a few connections that stay open: what a provider's senders do after an outage."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FIXTURE: Final = Path(__file__).parents[1] / "fixtures" / "paddle" / "transaction.completed.json"
_EXAMPLE: Final[dict[str, Any]] = json.loads(FIXTURE.read_text())["event"]


@dataclass(frozen=True)
class Target:
    """Where deliveries go; `secret` signs the genuine ones."""

    address: str
    port: int
    secret: str

    def request(self, body: bytes, *, forged: bool = False) -> bytes:
        """A delivery as it goes over the wire, signed now."""
        stamp = int(time.time())
        secret = "nobody's secret" if forged else self.secret
        signed = hmac.digest(secret.encode(), b"%d:%b" % (stamp, body), hashlib.sha256).hex()
        head = (
            f"POST /webhooks/paddle HTTP/1.1\r\nhost: {self.address}:{self.port}\r\ncontent-type: application/json\r\n"
            f"paddle-signature: ts={stamp};h1={signed}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def completed(number: int, transaction: str, price: str, order: str) -> bytes:
    """The event of a completed purchase, after the provider's published example."""
    event = json.loads(json.dumps(_EXAMPLE))
    event["event_id"] = f"evt_{number:026d}"
    event["notification_id"] = f"ntf_{number:026d}"
    event["data"] |= {"id": transaction, "custom_data": {"order": order}}
    event["data"]["items"][0]["price"]["id"] = price
    return json.dumps(event).encode()


async def post_all(target: Target, deliveries: Sequence[tuple[bytes, bool]], connections: int = 8) -> Counter[int]:
    """Post every (body, forged) and count the statuses; 0 where the connection broke."""
    waiting = list(reversed(deliveries))
    statuses: Counter[int] = Counter()

    async def sender() -> None:
        while waiting:
            try:
                reader, writer = await asyncio.open_connection(target.address, target.port)
            except OSError:
                # Nobody listens there any more: what is left is lost.
                statuses[0] += len(waiting)
                waiting.clear()
                return
            try:
                while waiting:
                    body, forged = waiting.pop()
                    statuses[await _post(reader, writer, target.request(body, forged=forged))] += 1
            except (OSError, asyncio.IncompleteReadError):
                statuses[0] += 1
            finally:
                writer.close()

    await asyncio.gather(*(sender() for _ in range(connections)))
    return statuses


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return int(head.split(b" ", 2)[1])
