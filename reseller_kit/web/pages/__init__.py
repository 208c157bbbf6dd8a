"""What all pages of a brand share: how one is answered, and where errors become pages. Knows no single page."""

from .answer import Handler, Pages, storefront_of

__all__ = ["Handler", "Pages", "storefront_of"]
