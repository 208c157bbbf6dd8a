"""All handlers of customers' pages, as `web.site` lists them. Holds no handler itself."""

from __future__ import annotations

from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler

from ..pages import Pages
from .auth_login import login_handlers
from .auth_reset import reset_handlers
from .auth_signup import signup_handlers
from .billing import billing_handlers
from .billing_orders import order_handlers
from .keys import key_handlers
from .live import live_handlers
from .overview import overview_handlers
from .paying import paying_handlers
from .playground import playground_handlers
from .restriction import restriction_handlers
from .security import security_handlers
from .security_factors import factor_handlers
from .statements import statement_handlers
from .subscriptions import subscription_handlers
from .support import support_handlers
from .usage import usage_handlers


def account_handlers(pages: Pages) -> list[HTTPRouteHandler | ASGIRouteHandler]:
    """Sign-up, log-in and the portal."""
    return [
        *signup_handlers(pages),
        *login_handlers(pages),
        *reset_handlers(pages),
        *overview_handlers(pages),
        *key_handlers(pages),
        *billing_handlers(pages),
        *order_handlers(pages),
        *subscription_handlers(pages),
        *statement_handlers(pages),
        *paying_handlers(pages),
        *live_handlers(pages),
        *usage_handlers(pages),
        *playground_handlers(pages),
        *restriction_handlers(pages),
        *security_handlers(pages),
        *support_handlers(pages),
        *factor_handlers(pages),
    ]
