"""Caddy from the wheel in the lock file, with the deployment's own Caddyfile and a CA of its own. Loopback only."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.ports import free_port
from scripts._lib.processes import Child, running

PROGRAM: Final = VENV / "bin" / "caddy"
CADDYFILE: Final = ROOT / "deploy" / "Caddyfile"
ADDRESS: Final = "127.0.0.1"


@dataclass(frozen=True)
class Door:
    """A running Caddy: its ports, and the certificate of the CA that signs for it."""

    https_port: int
    http_port: int
    root: Path
    child: Child

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts its CA alone."""
        return ssl.create_default_context(cafile=str(self.root))


def environment(
    folder: Path, *, upstream: str, ask: str | None = None, https_port: int, http_port: int, options: str = ""
) -> dict[str, str]:
    """What Caddy is told: `upstream` as host:port, several with spaces between; its data stays in `folder`.

    `ask`: the origin that says who gets a certificate, if it is not the upstream.
    """
    gate = f"{ADDRESS}:{free_port(ADDRESS)}"
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {
        **inherited,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "RK_UPSTREAM": upstream,
        "RK_GATE": gate,
        "RK_ASK": ask or f"http://{gate}",
        "RK_ISSUER": "internal",
        "RK_HTTPS_PORT": str(https_port),
        "RK_HTTP_PORT": str(http_port),
        "RK_HTTPS_SUFFIX": f":{https_port}",
        "RK_OPTIONS": f"default_bind {ADDRESS}\nskip_install_trust\n{options}",
    }


@contextmanager
def running_caddy(
    folder: Path, *, upstream: str, ask: str | None = None, https_port: int = 0, http_port: int = 0
) -> Iterator[Door]:
    """Caddy before a product that listens on `upstream`; stopped at the end. Raises ChildFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    https, http = https_port or free_port(ADDRESS), http_port or free_port(ADDRESS)
    variables = environment(folder, upstream=upstream, ask=ask, https_port=https, http_port=http)
    command: list[str | Path] = [PROGRAM, "run", "--config", CADDYFILE, "--adapter", "caddyfile"]
    with running(
        "Caddy",
        command,
        log=folder / "caddy.log",
        answers_on=[(ADDRESS, https), (ADDRESS, http)],
        environment=variables,
    ) as child:
        yield Door(https, http, folder / "caddy" / "pki" / "authorities" / "local" / "root.crt", child)
