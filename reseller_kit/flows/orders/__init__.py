"""Orders: placed by customers, confirmed or refused by whoever is paid, refunded. Credits nothing; that is `fulfil`."""

from .decide import approve_order, lapse_orders, refund_order, reject_order
from .look import OrderDetail, list_orders, own_order, own_orders, show_order
from .place import Placed, Wanted, cancel_order, order_for, place_order, priced, provider_of, terms_hash

__all__ = [
    "OrderDetail",
    "Placed",
    "Wanted",
    "approve_order",
    "cancel_order",
    "lapse_orders",
    "list_orders",
    "order_for",
    "own_order",
    "own_orders",
    "place_order",
    "priced",
    "provider_of",
    "refund_order",
    "reject_order",
    "show_order",
    "terms_hash",
]
