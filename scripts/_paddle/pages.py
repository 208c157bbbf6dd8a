"""What people see of the double: the checkout, the customer portal, invoices. Plain pages that need no script."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import parse_qs, urlsplit

from scripts._paddle import collect, money, renewals
from scripts._paddle.account import Account, Entity
from scripts._paddle.errors import Refused
from scripts._paddle.http import Answer, Request
from scripts._paddle.world import World

_BANNER: Final = "Test double of a payment service: no money moves here, and no card is asked for."
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f5f6f8;color:#1a1f36}"
    "header{background:#7a2e0e;color:#fff;padding:.5rem 1rem;text-align:center;font-size:.875rem}"
    "main{max-width:26rem;margin:2rem auto;padding:1.5rem;background:#fff;border-radius:12px;"
    "box-shadow:0 1px 3px #0003}h1{font-size:1.25rem;margin:0 0 1rem}table{width:100%;border-collapse:collapse}"
    "td{padding:.4rem 0;border-bottom:1px solid #e6e8ee}td+td{text-align:right}tr:last-child td{font-weight:600}"
    "label{display:block;margin:1rem 0 0;font-size:.875rem}input{width:100%;box-sizing:border-box;padding:.5rem;"
    "font:inherit;border:1px solid #c3c8d4;border-radius:8px}button{width:100%;margin-top:.75rem;padding:.7rem;"
    "font:inherit;border:0;border-radius:8px;background:#1a1f36;color:#fff;cursor:pointer}"
    "button+button{background:#e6e8ee;color:#1a1f36}[role=alert]{background:#fde8e8;padding:.5rem .75rem;"
    "border-radius:8px}@media(max-width:480px){main{margin:0;border-radius:0}}"
)
# What Paddle.js does for a page of the seller's: it opens the checkout of a transaction in a frame above the page.
_SCRIPT: Final = """'use strict';
(() => {
  const base = new URL(document.currentScript.src).origin;
  let settings = {};
  let tell = () => {};
  const open = (id, chosen) => {
    const at = new URL('/checkout', base);
    at.searchParams.set('_ptxn', id);
    at.searchParams.set('frame', '1');
    if (chosen.successUrl) at.searchParams.set('success_url', chosen.successUrl);
    const box = document.createElement('div');
    const frame = document.createElement('iframe');
    const close = document.createElement('button');
    frame.src = at.href;
    frame.title = 'Checkout';
    frame.className = 'paddle-frame';
    close.textContent = 'Close checkout';
    Object.assign(box.style, {position: 'fixed', inset: '0', zIndex: '9999'});
    Object.assign(frame.style, {width: '100%', height: '100%', border: '0'});
    Object.assign(close.style, {position: 'absolute', right: '1rem', bottom: '1rem'});
    close.addEventListener('click', () => { box.remove(); tell({name: 'checkout.closed'}); });
    frame.addEventListener('load', () => tell({name: 'checkout.loaded'}), {once: true});
    box.append(frame, close);
    document.body.append(box);
  };
  const initialize = options => {
    settings = (options.checkout && options.checkout.settings) || {};
    tell = options.eventCallback || tell;
    const id = new URLSearchParams(location.search).get('_ptxn');
    if (id) open(id, settings);
  };
  window.Paddle = {
    Environment: {set() {}},
    Initialize: initialize,
    Setup: initialize,
    Checkout: {open: options => open(options.transactionId, {...settings, ...options.settings})},
  };
})();
"""


def is_page(path: str) -> bool:
    """Whether this module answers a path."""
    return path in {"/", "/checkout", "/favicon.ico", "/paddle/v2/paddle.js"} or path.startswith(
        ("/portal/", "/invoices/")
    )


def respond(world: World, request: Request) -> Answer:
    """A page, or where a form leads to."""
    parts = urlsplit(request.target)
    query = {name: found[-1] for name, found in parse_qs(parts.query).items()}
    form = {name: found[-1] for name, found in parse_qs(request.body.decode("utf-8", "replace")).items()}
    if parts.path == "/":
        return _page("A double of Paddle", f"<p>{_BANNER}</p><p>Its API answers at {escape(world.root)}.</p>")
    if parts.path == "/favicon.ico":
        return Answer(204)
    if parts.path == "/paddle/v2/paddle.js":
        return Answer(200, _SCRIPT.encode(), "text/javascript; charset=utf-8")
    if parts.path.startswith("/invoices/"):
        return _invoice(world, parts.path)
    if parts.path.startswith("/portal/"):
        return _portal(world, parts.path, query, form if request.method == "POST" else None)
    return _checkout(world, query | form, paying=request.method == "POST")


def _checkout(world: World, asked: dict[str, str], *, paying: bool) -> Answer:
    found = world.holder("transactions", asked.get("_ptxn", ""))
    if found is None:
        return _page("Something went wrong", "<p>There is no such transaction.</p>", status=404)
    account, transaction = found
    buyer = {name: asked[name] for name in ("email", "country") if asked.get(name)}
    action = asked.get("action", "") if paying else ""
    try:
        if action in {"pay", "close"}:
            collect.pay(account, transaction, buyer)
        elif action == "decline":
            collect.decline(account, transaction, buyer)
    except Refused as error:
        return _page("Something went wrong", f'<p role="alert">{escape(error.detail)}</p>', status=error.status)
    success = asked.get("success_url") or account.success_url
    if action == "pay" and success:
        return Answer(303, headers=(("location", success),))
    if transaction["status"] in {"paid", "completed"}:
        return _page("Payment received", f"<p>{_total(transaction)} was paid. You can close this page.</p>")
    if transaction["status"] == "canceled":
        return _page("Nothing to pay", "<p>This transaction was cancelled.</p>")
    alert = '<p role="alert">The bank declined this card. Nothing was charged.</p>' if action == "decline" else ""
    return _page("Checkout", alert + _summary(transaction) + _form(account, transaction, asked))


def _summary(transaction: Entity) -> str:
    currency, totals = transaction["currency_code"], transaction["details"]["totals"]
    rows = [
        (f"{item['quantity']} × {item['product']['name']}", money.formatted(int(item["totals"]["subtotal"]), currency))
        for item in transaction["details"]["line_items"]
    ]
    rows.append(("Tax", money.formatted(int(totals["tax"]), currency)))
    rows.append(("Total", _total(transaction)))
    return "<table>" + "".join(f"<tr><td>{escape(name)}</td><td>{found}</td></tr>" for name, found in rows) + "</table>"


def _form(account: Account, transaction: Entity, asked: dict[str, str]) -> str:
    hidden = {"_ptxn": transaction["id"]} | {name: asked[name] for name in ("success_url", "frame") if name in asked}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(found)}">' for name, found in hidden.items())
    if transaction["customer_id"] is None:
        fields += '<label>Email<input name="email" type="email" required></label>'
    if transaction["address_id"] is None:
        fields += '<label>Country<input name="country" value="US" maxlength="2" required></label>'
    # In a frame above a seller's page the whole window goes on to the success page.
    target = ' formtarget="_top"' if asked.get("frame") and (asked.get("success_url") or account.success_url) else ""
    return (
        f'<form method="post" action="/checkout">{fields}'
        f'<button name="action" value="pay"{target}>Pay</button>'
        '<button name="action" value="decline">Pay with declined card</button>'
        '<button name="action" value="close">Pay and close</button></form>'
    )


def _total(transaction: Entity) -> str:
    totals = transaction["details"]["totals"]
    return money.formatted(int(totals["grand_total"]), totals["currency_code"])


def _portal(world: World, path: str, query: dict[str, str], form: dict[str, str] | None) -> Answer:
    found = world.holder("portal_sessions", path.split("/")[2])
    if found is None or found[1]["token"] != query.get("token"):
        return _page("Log in", "<p>This link is not valid any more.</p>", status=403)
    account, session = found
    own = [one for one in account.tables["subscriptions"].values() if one["customer_id"] == session["customer_id"]]
    for subscription in own:
        if form and form.get("cancel") == subscription["id"] and subscription["status"] == "active":
            renewals.cancel(account, subscription)
    rows = "".join(
        f"<li>{escape(one['id'])}: {one['status']}"
        f'<form method="post"><button name="cancel" value="{one["id"]}">Cancel subscription</button></form></li>'
        for one in own
    )
    return _page("Your purchases", f"<ul>{rows}</ul>" if rows else "<p>You have no subscription.</p>")


def _invoice(world: World, path: str) -> Answer:
    number = path.split("/")[2]
    known = any(
        number in {one["invoice_id"] for one in account.tables["transactions"].values()}
        or number in account.tables["adjustments"]
        for account in world.accounts.values()
    )
    if not known:
        return _page("Something went wrong", "<p>There is no such invoice.</p>", status=404)
    return Answer(200, _PDF, "application/pdf")


def _page(title: str, content: str, *, status: int = 200) -> Answer:
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · test double</title><style>{_STYLE}</style></head><body><header>{_BANNER}</header>"
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Answer(status, document.encode(), "text/html; charset=utf-8")


_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 62>>stream\nBT /F 18 Tf 72 760 Td (Invoice of a test double: not valid) Tj ET\n"
    b"endstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
