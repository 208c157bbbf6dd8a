"""Ways to be paid, each behind the same Protocol. Grants no credit and knows no order's state."""

from .base import (
    Catalogue,
    CatalogueItem,
    CatalogueRef,
    Checked,
    Checkout,
    Preview,
    Previews,
    Provider,
    Purchase,
    RefundWanted,
    Renewing,
    SelfService,
)
from .manual import Manual
from .paddle import Account, Paddle

__all__ = [
    "Account",
    "Catalogue",
    "CatalogueItem",
    "CatalogueRef",
    "Checked",
    "Checkout",
    "Manual",
    "Paddle",
    "Preview",
    "Previews",
    "Provider",
    "Purchase",
    "RefundWanted",
    "Renewing",
    "SelfService",
]
