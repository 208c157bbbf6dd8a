"""The console of a reseller's team, below `/console` on each of its hosts. One module a page."""

from .handlers import console_handlers

__all__ = ["console_handlers"]
