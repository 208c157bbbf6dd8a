"""Orders: placed by customers, confirmed or refused by whoever is paid, refunded. Credits nothing; that is `fulfil`."""

from .ask import ask_for
from .asked_back import RefundOffer, ask_back, refund_offer
from .checkout import preview
from .decide import approve_order, lapse_orders, refund_order, reject_order
from .look import OrderDetail, list_orders, order_by_reference, own_order, own_orders, show_order
from .place import Placed, Wanted, buy, cancel_order, open_again, order_for, place_order, terms_hash
from .pricing import priced
from .selfservice import invoice_url, portal_url

__all__ = [
    "OrderDetail",
    "Placed",
    "RefundOffer",
    "Wanted",
    "approve_order",
    "ask_back",
    "ask_for",
    "buy",
    "cancel_order",
    "invoice_url",
    "lapse_orders",
    "list_orders",
    "open_again",
    "order_by_reference",
    "order_for",
    "own_order",
    "own_orders",
    "place_order",
    "portal_url",
    "preview",
    "priced",
    "refund_offer",
    "refund_order",
    "reject_order",
    "show_order",
    "terms_hash",
]
