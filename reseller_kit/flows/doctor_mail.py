"""What `tenant doctor --visit` has to say of the records that let a tenant's mails arrive: SPF, DKIM, DMARC."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from ..core.tenant import is_loopback_host
from ..dns import Resolver, is_public_suffix
from .complaint import Complaint, complaint

_SPF: Final = "v=spf1"
_DMARC: Final = "v=dmarc1"


async def about_mail(resolver: Resolver, slug: str, domain: str) -> list[Complaint]:
    """`domain`: of the address that the tenant's mails come from. What could not be found out is not told."""
    if is_loopback_host(domain) or "." not in domain:
        return []
    spf, dkim, dmarc = await asyncio.gather(
        resolver.texts(domain), resolver.exists(f"_domainkey.{domain}"), _policy(resolver, domain)
    )
    return list(_found(slug, domain, spf, dkim=dkim, dmarc=dmarc))


def _found(
    slug: str, domain: str, spf: tuple[str, ...] | None, *, dkim: bool | None, dmarc: tuple[str, ...] | None
) -> Iterator[Complaint]:
    if spf is not None:
        records = _of(spf, _SPF)
        if not records:
            message = f"{domain}, which mails come from, has no SPF record: many receivers refuse them."
            fix = f'Add a TXT record at {domain} that names the mail server, such as "v=spf1 include:… -all".'
            yield complaint("DR231", slug, message, fix, level="warning")
        elif len(records) > 1:
            message = f"{domain} has {len(records)} SPF records; receivers take that for an error."
            yield complaint("DR231", slug, message, "Put them together into one.", level="warning")
    if dkim is False:
        message = f"{domain} publishes no DKIM key (nothing is below _domainkey.{domain})."
        fix = "Let the mail server sign, and add the record that it names."
        yield complaint("DR232", slug, message, fix, level="warning")
    if dmarc is not None and not _of(dmarc, _DMARC):
        message = f"{domain} has no DMARC policy: anybody may write in its name."
        fix = f'Add a TXT record at _dmarc.{domain}, such as "v=DMARC1; p=quarantine".'
        yield complaint("DR233", slug, message, fix, level="warning")


async def _policy(resolver: Resolver, domain: str) -> tuple[str, ...] | None:
    """Of the domain, else of the nearest one above it that somebody could register (RFC 7489, section 6.6.3)."""
    name = domain
    while True:
        found = await resolver.texts(f"_dmarc.{name}")
        if found is None or _of(found, _DMARC):
            return found
        _, _, above = name.partition(".")
        if not above or "." not in above or is_public_suffix(above):
            return found
        name = above


def _of(texts: tuple[str, ...], version: str) -> list[str]:
    return [text for text in texts if text.lower().split(";")[0].split(" ")[0].strip() == version]
