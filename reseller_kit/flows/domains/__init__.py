"""Hosts that resellers bring along: claim, prove, check, change, remove, and the hourly look at all of them."""

from .change import make_primary, release, remove, set_role
from .chores import check_due, keep
from .claim import add, vouch
from .look import DomainView, list_domains, show_domain
from .prove import check

__all__ = [
    "DomainView",
    "add",
    "check",
    "check_due",
    "keep",
    "list_domains",
    "make_primary",
    "release",
    "remove",
    "set_role",
    "show_domain",
    "vouch",
]
