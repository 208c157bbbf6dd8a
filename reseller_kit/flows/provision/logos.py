"""Logos that a manifest names by their paths: read beside it, and stated as the pictures that they become.

Changes no file; `apply` keeps the pictures. A brand whose `images` say which logo it has keeps that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ...core.manifest import Manifest, Report, invalid
from ...db import brand_images, tenants
from ...db.brand_images import Image
from ...db.engine import Connection
from ...db.scope import admit
from ...imaging import MAX_SOURCE_BYTES, ImageRefused, Picture, read_upload

Logos = Mapping[str, Picture]
"""By the slug of their tenant."""
NO_LOGOS: Final[Logos] = {}
_AUTHOR: Final = "file"


def with_logos(manifest: Manifest, folder: Path) -> tuple[Manifest, Logos]:
    """The manifest with each logo as `brand.images.logo_light`. `folder`: where paths begin.

    Raises InvalidManifest for a file that can't be read or is no PNG, JPEG or WebP picture.
    """
    report, found = Report(manifest.file, manifest.lines), dict[str, Picture]()
    stated: list[dict[str, Any]] = []
    for index, tenant in enumerate(manifest.document.tenants):
        table = manifest.stated["tenants"][index]
        stated.append(table)
        if tenant.brand.logo is None or tenant.brand.images.logo_light is not None:
            continue
        try:
            picture = read_upload("logo_light", _content(folder / tenant.brand.logo))
        except (OSError, ImageRefused) as error:
            reason = error.message if isinstance(error, ImageRefused) else f"{error.strerror or 'It is no file'}."
            path = ("tenants", index, "brand", "logo")
            report.add(
                "RK508", path, f"The logo {tenant.brand.logo} can't be read: {reason}", "Name a PNG, JPEG or WebP."
            )
            continue
        found[tenant.slug] = picture
        images = {**table["brand"].get("images", {}), "logo_light": picture.sha256}
        stated[index] = {**table, "brand": {**table["brand"], "images": images}}
    if report.findings:
        raise invalid(report.sorted())
    if not found:
        return manifest, found
    return msgspec.structs.replace(manifest, stated={**manifest.stated, "tenants": stated}), found


async def keep_logos(connection: Connection, logos: Logos, at: int) -> None:
    """Keep the pictures of tenants that are there, within the transaction of an apply; `at` in µs."""
    for slug, picture in logos.items():
        tenant = await tenants.find(connection, slug)
        if tenant is None:
            continue
        await admit(connection, tenant.id)
        image = Image(
            sha256=picture.sha256,
            kind="logo_light",
            content_type=picture.content_type,
            width=picture.width,
            height=picture.height,
            size=len(picture.body),
            body=picture.body,
            author=_AUTHOR,
            created_at=at,
        )
        await brand_images.put(connection, tenant.id, image)


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_SOURCE_BYTES + 1)
