"""Webhooks to resellers' own systems: their endpoints, the log of what was sent, and the courier that sends it."""

from .courier import keep
from .deliveries import Logged, list_deliveries, redeliver, send_test, show_delivery
from .endpoints import (
    MAX_DESCRIPTION,
    MAX_ENDPOINTS,
    EndpointTerms,
    NewEndpoint,
    change_endpoint,
    create_endpoint,
    list_endpoints,
    remove_endpoint,
    rotate_hook_secret,
    show_endpoint,
    switch_endpoint,
)

__all__ = [
    "MAX_DESCRIPTION",
    "MAX_ENDPOINTS",
    "EndpointTerms",
    "Logged",
    "NewEndpoint",
    "change_endpoint",
    "create_endpoint",
    "keep",
    "list_deliveries",
    "list_endpoints",
    "redeliver",
    "remove_endpoint",
    "rotate_hook_secret",
    "send_test",
    "show_delivery",
    "show_endpoint",
    "switch_endpoint",
]
