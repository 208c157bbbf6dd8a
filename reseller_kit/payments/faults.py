"""What a provider raises against its interface: its own fault, logged whole, and told as if it had not answered.

Whoever waits for it gets a page that says so, and may try again. Never hides a refusal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import KitError, ServiceUnavailable

_log = logging.getLogger(__name__)


@contextmanager
def asking(provider: object) -> Iterator[None]:
    """Around one call of a provider, and nothing else. Raises ServiceUnavailable for what is no KitError."""
    try:
        yield
    except KitError:
        raise
    except Exception as fault:
        name = getattr(provider, "name", type(provider).__name__)
        _log.exception("the payment provider %s failed", name)
        raise ServiceUnavailable(
            "The payment provider failed.", fix="Try again; the server's log has what it raised."
        ) from fault
