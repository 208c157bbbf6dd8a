"""Paddle Billing, as merchant of record: checkout, webhooks, adjustments, subscriptions, what customers manage there.

Knows no database and no order's state. Nothing of a card ever passes through here.
"""

from .account import Account
from .provider import Paddle

__all__ = ["Account", "Paddle"]
