"""Payments of orders: what providers tell is taken in once, and order and ledger follow. Opens no checkout."""

from .ask import WantedRefund, left_to_refund, request_refund
from .chores import Inbox
from .poll import Poll, poll
from .receive import receive
from .settle import settle_order
from .take import Taken, store, take
from .verdicts import accept, dismiss

__all__ = [
    "Inbox",
    "Poll",
    "Taken",
    "WantedRefund",
    "accept",
    "dismiss",
    "left_to_refund",
    "poll",
    "receive",
    "request_refund",
    "settle_order",
    "store",
    "take",
]
