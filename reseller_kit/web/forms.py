"""Reads the forms of pages: bounded, from our own pages alone, field by field. Knows no single form.

A form is believed when its `csrf` is that of the browser's session, or of its form cookie where nobody is logged in,
and its Origin (or Referer), where there is one, is the page's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from litestar import Request
from msgspec import Struct

from ..core.errors import InvalidForm, InvalidRequest, RequestTooLarge
from ..core.lines import is_line
from ..theming.forms import FormProblem, FormView
from .compression import own_words
from .cookies import proves
from .dispatch import SECURE_KEY
from .sessions import csrf_of

MAX_BYTES: Final = 65_536
_MAX_FIELDS: Final = 200
_HIDDEN: Final = frozenset({"csrf", "password", "new_password", "code"})
"""Never shown again."""

Handler = Request[Any, Any, Any]


class FormRefused(InvalidRequest):
    """The form did not come from one of our pages, or that page was shown too long ago."""

    code = "form_refused"
    status = 403


class Form(Struct, frozen=True):
    """What was sent, by field; a field may have been sent several times."""

    fields: Mapping[str, tuple[str, ...]]

    def line(self, name: str, longest: int, *, needed: bool = True) -> str:
        """A field of one line, without spaces around it. Raises InvalidForm, naming the field."""
        text = self.raw(name).strip()
        if not text and needed:
            raise InvalidForm({name: ("form.needed", {})})
        if len(text) > longest:
            raise InvalidForm({name: ("form.too_long", {"count": longest})})
        if not is_line(text):
            raise InvalidForm({name: ("form.characters", {})})
        return text

    def raw(self, name: str) -> str:
        """A field as it was typed: the first one of that name, empty where there is none."""
        return self.fields.get(name, ("",))[0]

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.raw(name))

    def view(self, error: InvalidForm | None = None) -> FormView:
        """The form as its page shows it again, with what is wrong; secrets are left out."""
        shown = {name: values[0] for name, values in self.fields.items() if name not in _HIDDEN}
        problems = error.problems.items() if error else ()
        return FormView(
            values=shown,
            problems=tuple(FormProblem(field=field, key=key, values=dict(given)) for field, (key, given) in problems),
        )


async def read_form(request: Handler, max_fields: int = _MAX_FIELDS, longest: int = MAX_BYTES) -> Form:
    """The form that was posted, of at most so many fields and bytes.

    Raises FormRefused, RequestTooLarge or InvalidRequest.
    """
    check_origin(request)
    form = Form(_parsed(await _body(request, longest), max_fields))
    believe(request, form)
    if not request.url.query:
        own_words(request)
    return form


def believe(request: Handler, form: Form) -> None:
    """Raises FormRefused for a form that does not carry what our own page gave it."""
    if not proves(form.raw("csrf"), csrf_of(request)):
        raise FormRefused("The page was open for too long.", fix="Go back, load it again and send the form once more.")


def check_origin(request: Handler) -> None:
    """Raises FormRefused for what another site's page sent; a request without Origin and Referer is not judged here."""
    own_scheme = "https" if request.scope[SECURE_KEY] else "http"  # type: ignore[literal-required]
    own = (own_scheme, request.headers["host"].lower())
    for name in ("origin", "referer"):
        stated = request.headers.get(name)
        if stated is None:
            continue
        try:
            parts = urlsplit(stated)
        except ValueError:
            parts = urlsplit("")
        if (parts.scheme, parts.netloc.lower()) != own:
            raise FormRefused("The form came from another site.", fix="Open the page here and send it again.")
        return


async def _body(request: Handler, longest: int) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidRequest("This is not a form.", fix="Send application/x-www-form-urlencoded.")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > longest:
            raise RequestTooLarge("The form is too large.", fix=f"Send at most {longest} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _parsed(body: bytes, max_fields: int) -> dict[str, tuple[str, ...]]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=max_fields, separator="&"
        )
    except ValueError:
        raise InvalidRequest("The form can't be read.", fix="Send it as a browser does, in UTF-8.") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        # The one character that no database keeps is read as another control character, which is refused as well.
        found.setdefault(name.replace("\0", "\1"), []).append(value.replace("\0", "\1"))
    return {name: tuple(values) for name, values in found.items()}
