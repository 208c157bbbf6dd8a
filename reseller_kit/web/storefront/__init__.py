"""The public pages of every storefront, in its own theme and brand."""

from .handlers import storefront_handlers

__all__ = ["storefront_handlers"]
