"""What the console's pages of webhooks show. A secret is shown once, when it is made."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView

_TONES = {"enabled": "ok", "delivered": "ok", "waiting": "info", "failed": "bad"}


class EventChoice(Struct, frozen=True):
    """An event that may be chosen, and what it tells."""

    name: str
    text: str


class WebhookLine(Struct, frozen=True, kw_only=True):
    """An endpoint. `status`: enabled | disabled; `why`: hand | gone | failing, "" while it is on."""

    id: str
    url: str
    description: str
    events: tuple[str, ...]
    status: str
    created: dt.datetime
    why: str = ""
    failing: dt.datetime | None = None

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return "warn" if self.status == "enabled" and self.failing else _TONES.get(self.status, "")


class AttemptLine(Struct, frozen=True, kw_only=True):
    """How a try ended: the answer's status and beginning, or why there was none."""

    at: dt.datetime
    status: int | None
    duration_ms: int
    answer: str = ""
    error: str = ""

    @property
    def tone(self) -> str:
        """The colour of how it went."""
        return "ok" if self.status is not None and 200 <= self.status < 300 else "bad"


class DeliveryLine(Struct, frozen=True, kw_only=True):
    """A delivery. `status`: waiting | delivered | failed; `next_at`: when it is tried again; `body`: what is sent."""

    id: str
    event: str
    type: str
    status: str
    at: dt.datetime
    body: str
    attempts: tuple[AttemptLine, ...] = ()
    next_at: dt.datetime | None = None

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _TONES.get(self.status, "")


class WebhooksView(Struct, frozen=True, kw_only=True):
    """The list of endpoints, and the form of a new one. `chosen`: the events that were ticked."""

    lines: tuple[WebhookLine, ...]
    choices: tuple[EventChoice, ...]
    most: int
    form: FormView = FormView()
    chosen: tuple[str, ...] = ()
    done: str = ""


class WebhookView(Struct, frozen=True, kw_only=True):
    """One endpoint with its log. `secret`: the one that was just made; `problem`: why an action was refused."""

    line: WebhookLine
    choices: tuple[EventChoice, ...]
    deliveries: tuple[DeliveryLine, ...]
    form: FormView = FormView()
    chosen: tuple[str, ...] = ()
    secret: str = ""
    rotated: bool = False
    done: str = ""
    older_url: str = ""
    newest: bool = True

    def __repr__(self) -> str:
        return f"WebhookView({self.line.id})"
