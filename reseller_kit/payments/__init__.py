"""Ways to be paid, each behind the same Protocol. Grants no credit and knows no order's state."""

from .base import Checkout, Provider, Purchase
from .manual import Manual

__all__ = ["Checkout", "Manual", "Provider", "Purchase"]
