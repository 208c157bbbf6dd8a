"""The pages of every storefront, in its own theme and brand."""

from .app import build_pages

__all__ = ["build_pages"]
