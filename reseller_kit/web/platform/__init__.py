"""The operator's own pages, on the platform's hosts alone. One module a page; members are operators."""

from .handlers import platform_handlers

__all__ = ["platform_handlers"]
