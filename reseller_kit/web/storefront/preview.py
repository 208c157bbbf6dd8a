"""`/preview/…`: a revision of the brand before it is published, for whoever has its signed link. Changes nothing.

The pages are those of the storefront with the revision's look and words, on its own host. They can be framed by it
alone, run no script, send no form, and are kept by nobody. Their links lead to other pages of the preview or nowhere.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.storefront import Storefront
from ...flows import brand_preview
from ...theming import Asset, Links, Mail, render, render_mail, stylesheet
from ...theming.library import STATIC_PREFIX
from ...theming.mail_scheme import kept_to
from ...theming.render import asset
from ...theming.sample import MAILS, PAGES, VIEWED
from ...theming.sample_models import VIEWS as PLAIN_VIEWS
from ...theming.sample_page import SAMPLE_VISITOR, SamplePage
from ..pages import Handler, Pages, storefront_of, views
from ..pages.answer import SECURITY_HEADERS, file_answer, language_of, runtime_of
from ..pages.files import made_file

ROOT: Final = "/preview"
OWN_THEME: Final = "own"
_SHOWN: Final = {
    "home": "/",
    "pricing": "/pricing",
    "models": "/models",
    "docs": "/docs",
    "faq": "/faq",
    "status": "/status",
    "portal": "/account",
    "keys": "/account/keys",
    "usage": "/account/usage",
    "billing": "/account/billing",
}
_NAMES: Final = {path: name for name, path in _SHOWN.items()}
_MAIL: Final = "mail"
_MAIL_KIND: Final = "receipt"
_STYLE: Final = {"page": "'self'", _MAIL: "'unsafe-inline'"}
_LINK: Final = re.compile(r"(<a\b[^>]*?\bhref=\")([^\"]*)(\")")
_SCRIPT: Final = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)
_SHEET: Final = re.compile(r"[0-9a-f]{12}\.css", re.ASCII)
_MADE: Final = re.compile(r"(?<=[\"(])/theme/(?!images/)")


def preview_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """What a signed link opens."""

    @get(f"{ROOT}/{{token:str}}/{{theme:str}}/theme/{{path:path}}")
    async def file(request: Handler, token: FromPath[str], theme: FromPath[str], path: FromPath[str]) -> Response[Any]:
        shown = await _shown(pages, request, token, theme)
        name = path.lstrip("/")
        static = STATIC_PREFIX.removeprefix("/theme/")
        if name.startswith(static):
            found = asset(pages.library, shown.theme, name.removeprefix(static))
            if found is None:
                raise NotFoundException
            return _file(found)
        brand = views.brand_of(shown)
        if _SHEET.fullmatch(name):
            # Whatever its hash: the draft may have changed, or been published, since the page was made.
            name = stylesheet(pages.library, shown.theme, brand).url.removeprefix("/theme/")
        made = await made_file(pages, request, shown.theme, brand, name)
        if made.content_type.startswith("text/css"):
            made = msgspec.structs.replace(made, body=_moved(made.body.decode(), token, theme).encode())
        return _file(made)

    @get(f"{ROOT}/{{token:str}}/{{theme:str}}/{{scheme:str}}/{{name:str}}")
    async def page(
        request: Handler, token: FromPath[str], theme: FromPath[str], scheme: FromPath[str], name: FromPath[str]
    ) -> Response[Any]:
        shown = await _shown(pages, request, token, theme)
        if scheme not in {"light", "dark"}:
            raise NotFoundException
        if name == _MAIL:
            return _answer(kept_to(_mail(pages, request, shown), scheme), _MAIL)
        if name not in _SHOWN:
            raise NotFoundException
        html = _SCRIPT.sub("", _page(pages, request, shown, _SHOWN[name]))
        html = html.replace("<html ", f'<html data-scheme="{scheme}" ', 1)
        here = f"{ROOT}/{token}/{theme}/{scheme}"
        html = _LINK.sub(lambda match: match[1] + _target(match[2], here) + match[3], html)
        return _answer(_moved(html, token, theme), "page")

    return [file, page]


async def _shown(pages: Pages, request: Handler, token: str, theme: str) -> Storefront:
    """The storefront as the link shows it. Raises NotFoundException for a link that is not good any more."""
    storefront, runtime = storefront_of(request), runtime_of(request)
    number = brand_preview.opened(runtime.vault, storefront.tenant_id, token)
    if number is None:
        raise NotFoundException
    content = await brand_preview.previewed(runtime.db, storefront, number)
    found = None if content is None else pages.library.themes.get(content.theme if theme == OWN_THEME else theme)
    if content is None or found is None:
        raise NotFoundException
    return brand_preview.as_if_published(storefront, content, found)


def _page(pages: Pages, request: Handler, shown: Storefront, path: str) -> str:
    viewed = next((one for one in VIEWED if one.path == path and one.visitor), None)
    template = viewed.template if viewed else PAGES[path]
    asked = views.Asked(path=path, nonce="", lang=_language(request, shown))
    page = views.page_of(runtime_of(request), shown, asked, pages.port, view=_view(path, viewed), noindex=True)
    if viewed is not None:
        page = msgspec.structs.replace(page, visitor=SAMPLE_VISITOR, links=Links(account="/account"))
    return render(pages.library, shown.theme, template, page)


def _view(path: str, viewed: SamplePage | None) -> Any:
    return viewed.view if viewed is not None else PLAIN_VIEWS.get(path)


def _language(request: Handler, shown: Storefront) -> str:
    offered = views.brand_of(shown).languages
    lang = language_of(request)
    return lang if lang in offered else offered[0]


def _mail(pages: Pages, request: Handler, shown: Storefront) -> str:
    origin = f"{request.url.scheme}://{request.headers['host']}"
    brand = views.brand_of(shown)
    mail = Mail(brand=brand, origin=origin, content=MAILS[_MAIL_KIND], lang=_language(request, shown))
    return render_mail(pages.library, shown.theme, _MAIL_KIND, mail).html


def _target(href: str, here: str) -> str:
    """Where a link leads in the preview: to another page of it, or nowhere."""
    path = href.partition("?")[0].partition("#")[0]
    if href.startswith("#"):
        return href
    return f"{here}/{_NAMES[path]}" if path in _NAMES else "#main"


def _moved(text: str, token: str, theme: str) -> str:
    """The text with the brand's files at the preview's own address."""
    return _MADE.sub(f"{ROOT}/{token}/{theme}/theme/", text)


def _file(found: Asset) -> Response[Any]:
    """A file of a page in a preview; browsers keep it for a while, nobody else does."""
    answer = file_answer(found)
    answer.headers["cache-control"] = "private, max-age=600"
    return answer


def _answer(html: str, kind: str) -> Response[Any]:
    policy = (
        f"default-src 'none'; style-src {_STYLE[kind]}; img-src 'self' data:; font-src 'self'; form-action 'none';"
        " base-uri 'none'; frame-ancestors 'self'"
    )
    headers = {
        **SECURITY_HEADERS,
        "content-security-policy": policy,
        "x-frame-options": "SAMEORIGIN",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex, nofollow",
    }
    return Response(html, media_type="text/html", headers=headers)


def preview_url(token: str, theme: str = OWN_THEME, scheme: str = "light", name: str = "home") -> str:
    """The address of a page in a preview."""
    return f"{ROOT}/{token}/{theme}/{scheme}/{name}"
