"""docs/webhooks.md says what is so: its table is that of the code, and its snippet verifies what is sent."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from reseller_kit.core.hook import EVENTS, new_secret, signatures

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()


def test_the_table_of_events_is_complete() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {name: (text, tuple(re.findall(r"`(\w+)`", data))) for name, text, data in rows} == EVENTS


def test_the_snippet_takes_an_event_once_and_no_forged_one() -> None:
    (source,) = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/webhooks.md", "exec"), names)  # our own page
    secret, at = new_secret(), int(dt.datetime.now(dt.UTC).timestamp())
    body = json.dumps({"type": "test", "data": {}}).encode()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signatures([new_secret(), secret], "evt_1", at, body),
    }
    assert names["receive"](secret, headers, body) == {"type": "test", "data": {}}
    assert names["receive"](secret, headers, body) is None
    for forged in ((secret, headers, body + b" "), (new_secret(), headers, body)):
        with pytest.raises(WebhookVerificationError):
            names["receive"](*forged)
