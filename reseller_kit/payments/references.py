"""Ids of orders that travel through a provider and come back, signed so that nobody else can have written them."""

from __future__ import annotations

import hashlib
import hmac

from ..core.ids import is_public_id


def signed_order(key: bytes, order_id: str) -> str:
    """An order's id with a signature that only this tenant of ours can make."""
    return f"{order_id}.{_mac(key, order_id)}"


def order_of(key: bytes, text: str) -> str | None:
    """The order id that was signed; None for a text that was not made here."""
    order_id, _, mac = text.partition(".")
    genuine = hmac.compare_digest(_mac(key, order_id).encode(), mac.encode("utf-8", "replace"))
    return order_id if genuine and is_public_id(order_id, "ord") else None


def _mac(key: bytes, order_id: str) -> str:
    return hmac.digest(key, b"order\0" + order_id.encode("utf-8", "replace"), hashlib.sha256).hex()
