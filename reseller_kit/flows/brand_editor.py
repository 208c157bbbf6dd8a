"""A reseller edits the face of its storefront: one draft, which is published, and every revision before it.

Publishing changes the tenant's configuration as any other edit does (`flows.provision.edit`) and notes in the same
transaction what was published. What the file or the command line set meanwhile becomes a revision of its own first, so
nothing that was ever shown is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.brand import BrandContent, changed_fields, content_of, fields_of, image_ids
from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.manifest import flat
from ..core.theme import Failure, exposed_tokens, failures
from ..core.times import DAY_US
from ..db import audit_log, brand_images, brand_revisions
from ..db.brand_images import Image
from ..db.brand_revisions import DRAFT, Revision
from ..db.engine import Connection, Database, now_us
from ..db.tenants import Tenant
from ..imaging import Kind, read_upload
from ..theming.library import Theme
from ..vault import Vault
from .provision.edit import Edit, edit
from .tenants import require_tenant

MAX_IMAGES: Final = 200
PAGE: Final = 25
_STALE: Final = "Somebody else saved this draft meanwhile."
_DECODING: Final = ThreadPoolExecutor(1, thread_name_prefix="imaging")
"""Pictures are decoded one at a time: each may take a core and some hundred MB for a moment. Nothing else waits."""


class Unreadable(InvalidRequest):
    """Colours of the brand can't be told apart, so it is not published. `failures` says which and what passes."""

    code = "unreadable_brand"
    status = 422

    def __init__(self, found: tuple[Failure, ...]) -> None:
        super().__init__("Some texts could not be read in these colours.", fix="Take the colours that are suggested.")
        self.failures = found


class Editor(Struct, frozen=True, kw_only=True):
    """What is edited: the draft or, without one, what is published. `seen`: the draft's mark, 0 without one."""

    content: BrandContent
    live: BrandContent
    draft: Revision | None
    published: Revision | None

    @property
    def seen(self) -> int:
        """What `save` is given back, so that nobody's work is overwritten."""
        return 0 if self.draft is None else self.draft.changed_at


async def open_editor(db: Database, tenant_id: int, slug: str) -> Editor:
    """The tenant's brand as its editor begins with it."""
    async with db.read(tenant_id) as connection:
        tenant = await require_tenant(connection, slug)
        draft = await brand_revisions.find(connection, tenant_id, DRAFT)
        published = await brand_revisions.published(connection, tenant_id)
    live = _live(tenant, published)
    return Editor(content=_content(draft) if draft else live, live=live, draft=draft, published=published)


async def save(db: Database, tenant_id: int, content: BrandContent, *, actor: str, seen: int | None = None) -> Revision:
    """Keep the draft. Raises Conflict when `seen` is given and the draft has changed since."""
    now = now_us()
    async with db.write(tenant_id) as connection:
        before = await brand_revisions.find(connection, tenant_id, DRAFT)
        if seen is not None and seen != (0 if before is None else before.changed_at):
            raise Conflict(_STALE, fix="Load the page again; your own entries are still in this one.")
        stored = msgspec.to_builtins(content)
        at = now if before is None else max(now, before.changed_at + 1)
        await brand_revisions.put_draft(connection, tenant_id, stored, author=actor, at=at)
        old, new = _difference(before.content if before else {}, stored)
        await audit_log.record(connection, tenant_id, actor, "brand.save", "brand", "draft", before=old, after=new)
        saved = await brand_revisions.find(connection, tenant_id, DRAFT)
    if saved is None:
        raise AssertionError("the draft was just written")
    return saved


async def discard(db: Database, tenant_id: int, *, actor: str) -> None:
    """Forget the draft; what is published stays."""
    async with db.write(tenant_id) as connection:
        if await brand_revisions.drop_draft(connection, tenant_id):
            await audit_log.record(connection, tenant_id, actor, "brand.discard", "brand", "draft")


async def publish(
    db: Database, vault: Vault, themes: Mapping[str, Theme], tenant_id: int, slug: str, *, actor: str
) -> int:
    """Show the draft to everybody; the number of the new revision.

    Raises NotFound without a draft, Unreadable for colours that fail, InvalidManifest for values that are not taken.
    """
    async with db.read(tenant_id) as connection:
        draft = await brand_revisions.find(connection, tenant_id, DRAFT)
    if draft is None:
        raise NotFound("There is no draft to publish.", fix="Change something and save it first.")
    return await _publish(
        db, vault, themes, tenant_id, slug, _content(draft), origin="edited", actor=actor, draft=draft
    )


async def restore(
    db: Database, vault: Vault, themes: Mapping[str, Theme], tenant_id: int, slug: str, number: int, *, actor: str
) -> int:
    """Publish an earlier revision once more, as a new one; its number. The draft stays. Raises as `publish` does."""
    async with db.read(tenant_id) as connection:
        found = await brand_revisions.find(connection, tenant_id, number) if number > DRAFT else None
    if found is None:
        raise NotFound("There is no such revision.")
    content = _content(found)
    return await _publish(db, vault, themes, tenant_id, slug, content, origin=f"restored:{number}", actor=actor)


async def history(db: Database, tenant_id: int, before: int | None = None) -> list[Revision]:
    """What was published, newest first: one page, before a number if given, and one row more if there are more."""
    async with db.read(tenant_id) as connection:
        return await brand_revisions.page(connection, tenant_id, PAGE + 1, before)


async def revision(db: Database, tenant_id: int, number: int) -> Revision | None:
    """A revision, or the draft as number 0."""
    async with db.read(tenant_id) as connection:
        return await brand_revisions.find(connection, tenant_id, number)


async def add_image(db: Database, tenant_id: int, kind: Kind, source: bytes, *, actor: str) -> str:
    """Take an upload; the id of the picture. Raises ImageRefused, or Conflict when there are too many in use."""
    picture = await asyncio.get_running_loop().run_in_executor(_DECODING, read_upload, kind, source)
    sha256, now = picture.sha256, now_us()
    async with db.write(tenant_id) as connection:
        if await brand_images.known(connection, tenant_id, [sha256]):
            return sha256
        await _make_room(connection, tenant_id, now)
        image = Image(
            sha256=sha256,
            kind=kind,
            content_type=picture.content_type,
            width=picture.width,
            height=picture.height,
            size=len(picture.body),
            body=picture.body,
            author=actor,
            created_at=now,
        )
        await brand_images.put(connection, tenant_id, image)
        facts = {"kind": kind, "width": picture.width, "height": picture.height, "size": image.size}
        await audit_log.record(connection, tenant_id, actor, "brand.upload", "brand_image", sha256, after=facts)
    return sha256


async def _publish(
    db: Database,
    vault: Vault,
    themes: Mapping[str, Theme],
    tenant_id: int,
    slug: str,
    content: BrandContent,
    *,
    origin: str,
    actor: str,
    draft: Revision | None = None,
) -> int:
    theme = themes.get(content.theme)
    if theme is None:
        raise NotFound(f"The theme {content.theme} is not installed any more.", fix="Choose another theme.")
    tokens = exposed_tokens(theme.chain)
    unreadable = failures(theme.chain, {name: value for name, value in content.tokens.items() if name in tokens})
    if unreadable:
        raise Unreadable(unreadable)
    async with db.read(tenant_id) as connection:
        before = _fields(await require_tenant(connection, slug))
        wanted_images = image_ids(content)
        missing = wanted_images - await brand_images.known(connection, tenant_id, wanted_images)
    if missing:
        raise NotFound("A picture of this revision is gone.", fix="Upload it again.")
    changes = _changes(themes, before, content)
    numbers: list[int] = []

    async def note(connection: Connection) -> None:
        last = await brand_revisions.published(connection, tenant_id)
        if last is None or _changes(themes, before, _content(last)) != {}:
            await _note_outside(connection, tenant_id, content_of(before))
        numbers.append(await _note(connection, tenant_id, content, origin=origin, actor=actor))
        if draft is not None:
            await brand_revisions.drop_draft(connection, tenant_id, draft.changed_at)

    if changes:
        await edit(db, vault, tenant_slug=slug, edits=[Edit("tenant", slug, changes)], actor=actor, also=note)
    else:
        async with db.write(tenant_id) as connection:
            await note(connection)
    return numbers[-1]


def _changes(themes: Mapping[str, Theme], shown: Mapping[str, Any], content: BrandContent) -> dict[str, Any] | None:
    """What would have to be set for the content to be shown; None where its theme is gone."""
    theme = themes.get(content.theme)
    if theme is None:
        return None
    return changed_fields(shown, fields_of(content, exposed_tokens(theme.chain), setting_names(theme)))


async def _note_outside(connection: Connection, tenant_id: int, shown: BrandContent) -> None:
    """Note what was shown without being a revision."""
    kept = msgspec.to_builtins(shown)
    await brand_revisions.publish(connection, tenant_id, kept, origin="outside", author="", at=now_us())


async def _note(connection: Connection, tenant_id: int, content: BrandContent, *, origin: str, actor: str) -> int:
    """Note what is published now."""
    stored, now = msgspec.to_builtins(content), now_us()
    number = await brand_revisions.publish(connection, tenant_id, stored, origin=origin, author=actor, at=now)
    facts = {"revision": number, "theme": content.theme, "origin": origin}
    await audit_log.record(connection, tenant_id, actor, "brand.publish", "brand", str(number), after=facts)
    return number


async def _make_room(connection: Connection, tenant_id: int, now: int) -> None:
    """Delete pictures that nothing names, once there are many. Raises Conflict where all are in use."""
    if await brand_images.count(connection, tenant_id) < MAX_IMAGES:
        return
    kept: set[str] = set()
    for content in await brand_revisions.contents(connection, tenant_id):
        kept |= image_ids(msgspec.convert(content, BrandContent))
    await brand_images.drop_others(connection, tenant_id, kept, now - DAY_US)
    if await brand_images.count(connection, tenant_id) >= MAX_IMAGES:
        raise Conflict(f"There are {MAX_IMAGES} pictures already.", fix="Use one of them, or try again tomorrow.")


def setting_names(theme: Theme) -> frozenset[str]:
    """Every name by which a theme knows a setting, old ones too."""
    declared = {name: setting for manifest in theme.chain for name, setting in manifest.settings.items()}
    return frozenset({*declared, *(alias for setting in declared.values() for alias in setting.aliases)})


def _live(tenant: Tenant, published: Revision | None) -> BrandContent:
    """What is shown now; settings of other themes as they were published last."""
    others = _content(published).settings if published else {}
    return content_of(_fields(tenant), others)


def _fields(tenant: Tenant) -> dict[str, Any]:
    return {"name": tenant.name, "theme": tenant.theme, **flat("tenant", tenant.settings)}


def _content(found: Revision) -> BrandContent:
    return msgspec.convert(found.content, BrandContent)


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs between two contents, by field: for the record of changes."""
    before, after = _flat_content(old), _flat_content(new)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _flat_content(content: Mapping[str, Any]) -> dict[str, Any]:
    settings = content.get("settings", {})
    found = {f"settings.{theme}.{name}": value for theme, own in settings.items() for name, value in own.items()}
    return {"theme": content.get("theme"), **content.get("fields", {}), **found}
