"""The pages `/console/brand` and `/console/brand/history`: the face of the storefront, edited, published, restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.brand import BrandContent
from ...core.brand_entry import OF_THEME, declared_settings, enter
from ...core.errors import Conflict, InvalidManifest, InvalidRequest, KitError, NotFound
from ...core.roles import may
from ...core.theme import COLOR_TOKENS
from ...flows import brand_editor
from ...flows.brand_editor import PAGE, Editor, Unreadable
from ...flows.brand_preview import preview_token
from ...flows.provision.edit import problems_of
from ...imaging import ImageRefused, Kind
from ...theming.brand import BRAND_TEXTS
from ...theming.console_brand import BrandHistoryView
from ...theming.forms import FormProblem, FormView
from ..forms import read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..storefront.preview import preview_url
from .brand_view import IMAGES, brand_view, revision_row, theme_of
from .guards import member_may
from .sessions import member_of
from .uploads import MAX_BYTES, Upload, read_upload

PATH: Final = "/console/brand"
HISTORY: Final = f"{PATH}/history"
_DONE: Final = frozenset({"saved", "published", "discarded", "restored"})
_MAX_NUMBER: Final = 9


def brand_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The brand editor and its history."""

    @get(PATH, guards=[member_may("brand")])
    async def show(request: Handler) -> Response[Any]:
        editor = await _open(request)
        done = request.query_params.get("done", "")
        return _page(pages, request, editor, editor.content, done=done if done in _DONE else "")

    @post(PATH, guards=[member_may("brand", edit=True)], request_max_body_size=2 * MAX_BYTES)
    async def change(request: Handler) -> Response[Any]:
        upload = await read_upload(request)
        return await _change(pages, request, upload)

    @get(HISTORY, guards=[member_may("brand")])
    async def history(request: Handler) -> Response[Any]:
        return await _history(pages, request)

    @post(HISTORY, guards=[member_may("brand", edit=True)])
    async def restore(request: Handler) -> Response[Any]:
        number = (await read_form(request)).raw("restore")
        try:
            await _restore(pages, request, int(number) if number.isdecimal() and len(number) <= _MAX_NUMBER else 0)
        except (NotFound, InvalidManifest, Unreadable) as error:
            return await _history(pages, request, error)
        return see_other(f"{PATH}?done=restored")

    return [show, change, history, restore]


async def _change(pages: Pages, request: Handler, upload: Upload) -> Response[Any]:
    """One post of the editor: what is right is saved, what is wrong is shown again."""
    runtime, member = runtime_of(request), member_of(request)
    action = upload.form.raw("action") or "save"
    if action == "discard":
        await brand_editor.discard(runtime.db, member.tenant_id, actor=member.actor)
        return see_other(f"{PATH}?done=discarded")
    editor = await _open(request)
    theme = pages.library.themes.get(upload.form.raw(OF_THEME)) or theme_of(pages.library, editor.content)
    fields = {**upload.form.fields, **_used(action), OF_THEME: (theme.name,)}
    entry = enter(editor.content, fields, theme.chain, BRAND_TEXTS)
    problems, status = dict(entry.problems), 422
    content = await _with_images(request, entry.content, theme.name, declared_settings(theme.chain), upload, problems)
    if content.theme not in pages.library.themes:
        problems["brand.theme"] = "This theme is not installed."
        content = msgspec.structs.replace(content, theme=editor.content.theme)
    typed = {name: values[-1][:20_000] for name, values in fields.items() if name in problems}
    try:
        if content != editor.content:
            seen = upload.form.raw("brand.seen")
            expected = int(seen) if seen.isdecimal() and len(seen) < 19 else None
            await brand_editor.save(runtime.db, member.tenant_id, content, actor=member.actor, seen=expected)
            editor = await _open(request)
        if action == "publish" and not problems and editor.draft is not None:
            await brand_editor.publish(
                runtime.db,
                runtime.vault,
                pages.library.themes,
                member.tenant_id,
                storefront_of(request).slug,
                actor=member.actor,
            )
    except (Conflict, NotFound, InvalidManifest, Unreadable) as error:
        problems |= _told(error)
        status = error.status if isinstance(error, Conflict) else status
    if problems:
        return _page(pages, request, editor, content, problems=problems, typed=typed, status=status)
    return see_other(f"{PATH}?done={'published' if action == 'publish' else 'saved'}")


def _used(action: str) -> dict[str, tuple[str, ...]]:
    """The field that a button for a better colour sets: `use:<token>.<scheme>=<colour>`."""
    kind, _, rest = action.partition(":")
    field, _, color = rest.partition("=")
    token, _, scheme = field.rpartition(".")
    if kind != "use" or token not in COLOR_TOKENS or scheme not in {"light", "dark"}:
        return {}
    return {field: (color,)}


async def _with_images(
    request: Handler,
    content: BrandContent,
    theme: str,
    settings: Mapping[str, Any],
    upload: Upload,
    problems: dict[str, str],
) -> BrandContent:
    """The content with the pictures that were sent, and without those that were to go."""
    fields, chosen = dict(content.fields), dict(content.settings.get(theme, {}))
    places: dict[str, tuple[Kind, dict[str, Any]]] = {
        f"brand.images.{kind}": (kind, fields)  # type: ignore[misc]
        for kind in IMAGES
    }
    places |= {name: ("setting", chosen) for name, setting in settings.items() if setting.type == "image"}
    member = member_of(request)
    for name, (kind, into) in places.items():
        if upload.form.ticked(f"{name}.remove"):
            into.pop(name, None)
        if name in upload.files:
            try:
                into[name] = await brand_editor.add_image(
                    runtime_of(request).db, member.tenant_id, kind, upload.files[name], actor=member.actor
                )
            except (ImageRefused, Conflict) as error:
                problems[name] = f"{error.message} {error.fix}"
    return msgspec.structs.replace(content, fields=fields, settings={**content.settings, theme: chosen})


def _told(error: KitError) -> dict[str, str]:
    """What could not be done, by field; colours that fail are shown where they are chosen."""
    if isinstance(error, InvalidManifest):
        return {"": " ".join(problems_of(error.details).values()) or error.message}
    return {"colors" if isinstance(error, Unreadable) else "": f"{error.message} {error.fix}".strip()}


async def _open(request: Handler) -> Editor:
    storefront = storefront_of(request)
    return await brand_editor.open_editor(runtime_of(request).db, storefront.tenant_id, storefront.slug)


def _page(
    pages: Pages,
    request: Handler,
    editor: Editor,
    content: BrandContent,
    *,
    problems: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    done: str = "",
    status: int = 200,
) -> Response[Any]:
    member = member_of(request)
    view = brand_view(
        pages.library,
        editor,
        content,
        preview=preview_url(preview_token(runtime_of(request).vault, member.tenant_id, 0), "", "", "").rstrip("/"),
        zone=member.zone,
        problems=problems or {},
        typed=typed or {},
        done=done,
        may_edit=may(member.role, "brand", edit=True),
    )
    return pages.answer(request, "console/brand.html", view=view, status=status, sources={"frame-src": "'self'"})


async def _restore(pages: Pages, request: Handler, number: int) -> None:
    runtime, member = runtime_of(request), member_of(request)
    slug = storefront_of(request).slug
    await brand_editor.restore(
        runtime.db, runtime.vault, pages.library.themes, member.tenant_id, slug, number, actor=member.actor
    )


async def _history(pages: Pages, request: Handler, error: KitError | None = None) -> Response[Any]:
    runtime, member = runtime_of(request), member_of(request)
    before = request.query_params.get("before", "")
    first = int(before) if before.isdecimal() and len(before) <= _MAX_NUMBER else None
    found = await brand_editor.history(runtime.db, member.tenant_id, first)
    rows = tuple(
        revision_row(
            one, pages.library, member.zone, preview_url(preview_token(runtime.vault, member.tenant_id, one.number))
        )
        for one in found[:PAGE]
    )
    problems = _told(error) if isinstance(error, InvalidRequest | NotFound | InvalidManifest) else {}
    view = BrandHistoryView(
        rows=rows,
        older=f"{HISTORY}?before={rows[-1].number}" if len(found) > PAGE else "",
        form=FormView(
            problems=tuple(FormProblem(field="", key="{text}", values={"text": t}) for t in problems.values())
        ),
        may_edit=may(member.role, "brand", edit=True),
    )
    return pages.answer(request, "console/brand_history.html", view=view, status=200 if error is None else error.status)
