"""The process's settings. The only reader of the environment; starts nothing.

Every variable is in `VARIABLES` with its default and meaning; one that is set to nothing counts as not set. Those that
hold secrets can name a file instead: `RESELLER_KIT_SECRET_KEY_FILE=/run/secrets/key`.
"""

from __future__ import annotations

import base64
import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from msgspec import Struct

from .core.errors import KitError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX: Final = "RESELLER_KIT_"
IN_FILES: Final = ("DATABASE_URL", "SECRET_KEY", "SECRET_KEY_NEXT", "CACHE_URL", "MAIL_URL")
"""Variables that may hold a secret: a file of that name with `_FILE` behind it keeps them out of the environment."""
VARIABLES: Final[Mapping[str, tuple[str, str]]] = {
    "DATA_DIR": ("./data", "Folder of the embedded database and the generated secret key."),
    "DATABASE_URL": ("sqlite+aiosqlite:///<data dir>/reseller_kit.db", "Or postgresql+asyncpg://…"),
    "SECRET_KEY": (
        "generated into the data dir on SQLite; must be given on PostgreSQL",
        "Encrypts the data keys and the pepper that the database keeps.",
    ),
    "SECRET_KEY_NEXT": (
        "none",
        "The secret key that is to replace it: either one opens the database while servers are replaced one by one.",
    ),
    "CACHE_URL": (
        "in process",
        "redis://… or rediss://… (Redis or Valkey): limits are counted together by all processes.",
    ),
    "CONFIG": ("./tenants.toml", "What plan and apply read."),
    "MAIL_URL": (
        "file://<data dir>/mail",
        "file://DIR writes one .eml per mail; or smtp://user:pass@host:587. A tenant's own [tenants.email] goes first.",
    ),
    "KEPT_MIB": ("256", "MiB of kept responses for each customer, 32 or more; the oldest go first."),
    "LOG": ("json", "Format of log lines: json or console."),
    "TRUSTED_PROXIES": ("none", "Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    "INTERNAL_PEERS": ("loopback", "Addresses that may ask /internal/* and /metrics."),
    "DNS_SERVERS": ("the machine's own", "Addresses of resolvers that check resellers' domains, with :port if not 53."),
    "OTLP_URL": ("none", "OpenTelemetry collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318."),
    "TRACE_RATIO": ("1", "Share of requests that are traced, from 0 to 1, unless a trusted proxy has decided."),
    **{f"{name}_FILE": ("none", f"A file that holds {PREFIX}{name}; not with that.") for name in IN_FILES},
}
"""Name behind the prefix: (default as documented, meaning)."""

SECRET_KEY_FILE: Final = "secret.key"
DATABASE_FILE: Final = "reseller_kit.db"
_MIN_SECRET_LENGTH: Final = 32
_DNS_PORT: Final = 53
_LEAST_KEPT_MIB: Final = 32
"""What one conversation may hold."""
_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_DRIVERS: Final = ("sqlite+aiosqlite", "sqlite", "postgresql+asyncpg", "postgresql", "postgres")


class InvalidSetting(KitError):
    """An environment variable that is missing, malformed or must not be set."""

    code = "invalid_setting"
    status = 500


class Settings(Struct, frozen=True, kw_only=True):
    """What the environment says, checked. Holds secrets: its text shows none of them."""

    data_dir: Path
    database_url: str
    secret_key: str
    secret_key_file: Path | None
    """Where the secret key was read from; None when the environment gave it."""
    secret_key_next: str | None
    """What is to replace the secret key, during a rotation."""
    cache_url: str | None
    config: Path
    mail_url: str
    kept_mib: int
    log: Literal["json", "console"]
    trusted_proxies: tuple[Network, ...]
    internal_peers: tuple[Network, ...]
    dns_servers: tuple[tuple[str, int], ...]
    """Addresses and ports; none: the machine's own."""
    otlp_url: str | None
    trace_ratio: float

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys of which one opens the database."""
        return (self.secret_key,) if self.secret_key_next is None else (self.secret_key, self.secret_key_next)

    def __repr__(self) -> str:
        return f"Settings(data_dir={str(self.data_dir)!r})"


def unread(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables with the product's prefix that nothing reads, each with the one that is most like it, or nothing.

    Left out is what Kubernetes puts there for a service that is called reseller-kit.
    """
    of_services = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)")
    found = []
    for variable, value in sorted(environ.items()):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in VARIABLES or of_services.fullmatch(name) or "://" in value[:6]:
            continue
        near = difflib.get_close_matches(name, VARIABLES, 1)
        found.append((variable, PREFIX + near[0] if near else ""))
    return found


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of this process. On SQLite it makes the data dir and the secret key when they are missing.

    Raises InvalidSetting, naming the variable and what it should hold.
    """
    if environ.get("TEST_MODE"):
        raise InvalidSetting(
            "TEST_MODE is set; it switches off a check of the payment library.", fix="Unset TEST_MODE and start again."
        )
    data_dir = Path(_read(environ, "DATA_DIR") or "./data").absolute()
    database_url = _database_url(environ, data_dir)
    secret_key, secret_key_file = _secret_key(environ, database_url, data_dir)
    return Settings(
        data_dir=data_dir,
        database_url=database_url,
        secret_key=secret_key,
        secret_key_file=secret_key_file,
        secret_key_next=_next_key(environ),
        cache_url=_url(environ, "CACHE_URL", ("redis", "rediss")),
        config=Path(_read(environ, "CONFIG") or "./tenants.toml"),
        mail_url=_mail_url(environ, data_dir),
        kept_mib=_kept_mib(environ),
        log=_log(environ),
        trusted_proxies=_networks(environ, "TRUSTED_PROXIES", ()),
        internal_peers=_networks(environ, "INTERNAL_PEERS", _LOOPBACK),
        dns_servers=_servers(environ),
        otlp_url=_url(environ, "OTLP_URL", ("http", "https")),
        trace_ratio=_ratio(environ, "TRACE_RATIO"),
    )


def _read(environ: Mapping[str, str], name: str) -> str:
    given = environ.get(PREFIX + name, "").strip()
    file = environ.get(f"{PREFIX}{name}_FILE", "").strip() if name in IN_FILES else ""
    if not file:
        return given
    if given:
        raise InvalidSetting(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set.", fix="Unset one of them.")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidSetting(
            f"{PREFIX}{name}_FILE names {file}, which can't be read: {reason}.", fix="Correct its path or permissions."
        ) from None
    if not text:
        raise InvalidSetting(f"{PREFIX}{name}_FILE names {file}, which is empty.", fix=f"Put {PREFIX}{name} into it.")
    return text


def _database_url(environ: Mapping[str, str], data_dir: Path) -> str:
    url = _read(environ, "DATABASE_URL")
    if not url:
        path = str(data_dir / DATABASE_FILE)
        if re.search(r"[?#%]", path):
            raise InvalidSetting(
                f"{PREFIX}DATA_DIR has a character that a database URL can't carry.",
                fix="Choose a folder without ?, # and %.",
            )
        _make_folder(data_dir)
        return f"sqlite+aiosqlite:///{path}"
    # The URL may hold a password, so no message repeats it.
    if url.partition("://")[0] not in _DRIVERS:
        raise InvalidSetting(
            f"{PREFIX}DATABASE_URL names no driver that is known.",
            fix="Use sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE.",
        )
    return url


def _secret_key(environ: Mapping[str, str], database_url: str, data_dir: Path) -> tuple[str, Path | None]:
    given = _read(environ, "SECRET_KEY")
    if given:
        return _checked_key(given, f"{PREFIX}SECRET_KEY"), None
    if not database_url.startswith("sqlite"):
        raise InvalidSetting(
            f"{PREFIX}SECRET_KEY is not set; on PostgreSQL it must be.",
            fix="Generate one, keep it safe, and set it: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    file = data_dir / SECRET_KEY_FILE
    if not file.exists():
        _make_folder(file.parent)
        write_key_file(file)
    return read_key_file(file), file


def _next_key(environ: Mapping[str, str]) -> str | None:
    given = _read(environ, "SECRET_KEY_NEXT")
    return _checked_key(given, f"{PREFIX}SECRET_KEY_NEXT") if given else None


def read_key_file(file: Path) -> str:
    """The secret key that a file holds. Raises InvalidSetting."""
    try:
        return _checked_key(file.read_text(encoding="ascii").strip(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable_file(file, error) from None


def write_key_file(file: Path) -> None:
    """A new secret key in a new file of mode 0600. Of two processes that start at once, the first one's key stays."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    except OSError as error:
        raise _unusable_file(file, error) from None


def _unusable_file(file: Path, error: Exception) -> InvalidSetting:
    reason = error.strerror if isinstance(error, OSError) else "it holds no key"
    return InvalidSetting(
        f"The secret key file {file} can't be used: {reason}.",
        fix=f"Correct its permissions, or set {PREFIX}SECRET_KEY.",
    )


def _checked_key(key: str, source: str) -> str:
    if len(key) < _MIN_SECRET_LENGTH:
        raise InvalidSetting(
            f"{source} holds a key of {len(key)} characters; at least {_MIN_SECRET_LENGTH} are needed.",
            fix="Generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return key


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"The data folder {folder} can't be made: {error.strerror}.",
            fix=f"Set {PREFIX}DATA_DIR to a folder that can be written.",
        ) from None


def _mail_url(environ: Mapping[str, str], data_dir: Path) -> str:
    url = _read(environ, "MAIL_URL") or f"file://{quote(str(data_dir / 'mail'))}"
    parts = _split(url, "MAIL_URL", ("file", "smtp", "smtps"))
    usable = parts.path.startswith("/") and not parts.netloc if parts.scheme == "file" else bool(parts.hostname)
    user, _, _ = parts.netloc.rpartition("@")
    if not usable or (user and ":" not in user):
        raise _unusable("MAIL_URL", "Use file:///absolute/folder or smtp://user:password@host:587.")
    return url


def _url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    url = _read(environ, name)
    if not url:
        return None
    if not _split(url, name, schemes).hostname:
        raise _unusable(name, f"Use {schemes[0]}://HOST.")
    return url


def _split(url: str, name: str, schemes: tuple[str, ...]) -> _Parts:
    fix = f"Begin it with {' or '.join(f'{scheme}://' for scheme in schemes)}."
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # a port that is no number raises only when it is asked for
    except ValueError:
        raise _unusable(name, fix) from None
    if parts.scheme not in schemes:
        raise _unusable(name, fix)
    return _Parts(parts.scheme, parts.netloc, parts.hostname or "", parts.path)


class _Parts(Struct, frozen=True):
    scheme: str
    netloc: str
    hostname: str
    path: str


def _log(environ: Mapping[str, str]) -> Literal["json", "console"]:
    value = _read(environ, "LOG") or "json"
    if value not in {"json", "console"}:
        raise InvalidSetting(f"{PREFIX}LOG is {value[:40]!r}.", fix="Use json or console.")
    return "json" if value == "json" else "console"


def _kept_mib(environ: Mapping[str, str]) -> int:
    value = _read(environ, "KEPT_MIB") or "256"
    if not re.fullmatch(r"[0-9]{2,7}", value, re.ASCII) or int(value) < _LEAST_KEPT_MIB:
        raise InvalidSetting(f"{PREFIX}KEPT_MIB is {value[:40]!r}.", fix="Use a whole number from 32 to 9999999.")
    return int(value)


def _ratio(environ: Mapping[str, str], name: str) -> float:
    value = _read(environ, name) or "1"
    if not re.fullmatch(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?", value, re.ASCII):
        raise InvalidSetting(f"{PREFIX}{name} is {value[:40]!r}.", fix="Use a number from 0 to 1, such as 0.05.")
    return float(value)


def _servers(environ: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    found = []
    for part in filter(None, (piece.strip() for piece in _read(environ, "DNS_SERVERS").split(","))):
        bare = f"[{part}]" if part.count(":") > 1 and not part.startswith("[") else part
        try:
            parsed = urlsplit(f"//{bare}")
            found.append((str(ipaddress.ip_address(parsed.hostname or "")), parsed.port or _DNS_PORT))
        except ValueError:
            raise InvalidSetting(
                f"{PREFIX}DNS_SERVERS holds {part[:60]!r}.",
                fix="List IP addresses, such as 192.0.2.53, [2001:db8::53]:5353.",
            ) from None
    return tuple(found)


def _networks(environ: Mapping[str, str], name: str, default: tuple[Network, ...]) -> tuple[Network, ...]:
    text = _read(environ, name)
    if not text:
        return default
    parts = [part.strip() for part in text.split(",")]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts if part)
    except ValueError as error:
        raise InvalidSetting(
            f"{PREFIX}{name} holds what is no address: {error}.",
            fix="Separate addresses or networks by commas, such as 10.0.0.5, 192.168.0.0/24.",
        ) from None


def _unusable(name: str, fix: str) -> InvalidSetting:
    return InvalidSetting(f"{PREFIX}{name} is not a usable URL.", fix=fix)
