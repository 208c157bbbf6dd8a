"""The customer's own pages: becoming one, logging in, and the portal behind that."""

from .handlers import account_handlers

__all__ = ["account_handlers"]
