"""Subscriptions: looked up, cancelled, resumed and changed; periods asked for and given up. Credits nothing."""

from .choose import Choice, cancel_departing, cancel_subscription, change_subscription, resume_subscription
from .due import follow_up
from .look import (
    OwnSubscription,
    list_subscriptions,
    own_subscription,
    own_subscriptions,
    show_subscription,
)

__all__ = [
    "Choice",
    "OwnSubscription",
    "cancel_departing",
    "cancel_subscription",
    "change_subscription",
    "follow_up",
    "list_subscriptions",
    "own_subscription",
    "own_subscriptions",
    "resume_subscription",
    "show_subscription",
]
