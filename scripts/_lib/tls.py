"""Several brands behind TLS on loopback: applies the example, starts the product and Caddy, visits, stays up."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from scripts._lib import caddy
from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.caddy import Door, running_caddy
from scripts._lib.ports import free_port
from scripts._lib.processes import running

EXAMPLE: Final = ROOT / "tenants.example.toml"
PROGRAM: Final = VENV / "bin" / "reseller-kit"
_STRANGER: Final = "nobody.localhost"
_WATCH_SECONDS: Final = 0.5


class NotServed(RuntimeError):
    """A storefront did not answer as it should; the text says which."""


def main(*, port: int, check: bool) -> int:
    """Serve until Ctrl-C or, with `check`, visit every storefront once."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both ways to end it take the same path
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reseller-kit-tls-")))
            https = free_port(caddy.ADDRESS, preferred=port)
            hosts, door = _start(stack, folder, https)
            for host in hosts:
                _visit(door, host)
            _refuse_stranger(door)
            print(_told(door, hosts), flush=True)
            while not check:
                time.sleep(_WATCH_SECONDS)
                if door.child.process.poll() is not None:
                    raise NotServed(f"Caddy has ended:\n{door.child.tail()}")
            return 0
    except KeyboardInterrupt:
        return 0


def _start(stack: ExitStack, folder: Path, https: int) -> tuple[list[str], Door]:
    text = EXAMPLE.read_text(encoding="utf-8")
    # Absolute URLs have to name the port, which is not the one that the product listens on.
    text = text.replace("[platform]\n", f'[platform]\npublic_url = "https://{{host}}:{https}"\n', 1)
    manifest = folder / "tenants.toml"
    manifest.write_text(text, encoding="utf-8")
    environment = _environment(folder, text)
    done = subprocess.run(
        [PROGRAM, "apply", "--yes", "-f", manifest],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotServed(f"apply failed:\n{done.stdout}{done.stderr}")
    port = free_port(caddy.ADDRESS)
    command: list[str | Path] = [PROGRAM, "serve", "--host", caddy.ADDRESS, "--port", str(port)]
    answers_on = [(caddy.ADDRESS, port)]
    stack.enter_context(
        running("the server", command, log=folder / "server.log", answers_on=answers_on, environment=environment)
    )
    door = stack.enter_context(running_caddy(folder / "caddy", upstream=f"{caddy.ADDRESS}:{port}", https_port=https))
    return _names(tomllib.loads(text)), door


def _environment(folder: Path, text: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
    references = [key for table in tomllib.loads(text).get("upstreams", {}).values() for key in table["api_keys"]]
    keys = {reference.removeprefix("env:"): "shown-to-nobody" for reference in references}
    return {
        **inherited,
        **keys,
        "RESELLER_KIT_DATA_DIR": str(folder / "data"),
        "RESELLER_KIT_TRUSTED_PROXIES": caddy.ADDRESS,
        "RESELLER_KIT_LOG": "console",
    }


def _names(document: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    """The storefronts' names; an address has no name that a handshake could give."""
    hosts = [domain["host"] for tenant in document["tenants"] for domain in tenant["domains"]]
    return [host for host in hosts if host.endswith(".localhost")]


def _visit(door: Door, host: str) -> None:
    connection = http.client.HTTPSConnection(host, door.https_port, timeout=30)
    with socket.create_connection((caddy.ADDRESS, door.https_port), timeout=30) as plain:
        connection.sock = door.trust().wrap_socket(plain, server_hostname=host)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
    if status != http.HTTPStatus.OK:
        raise NotServed(f"https://{host}:{door.https_port}/ answered {status}")


def _refuse_stranger(door: Door) -> None:
    with socket.create_connection((caddy.ADDRESS, door.https_port), timeout=30) as plain:
        try:
            door.trust().wrap_socket(plain, server_hostname=_STRANGER).close()
        except (ssl.SSLError, ConnectionResetError):
            return
    raise NotServed(f"{_STRANGER} got a certificate, though nobody has that name")


def _told(door: Door, hosts: Sequence[str]) -> str:
    lines = ["Storefronts, each with a certificate of its own:"]
    lines += [f"  https://{host}:{door.https_port}/" for host in hosts]
    resolve = f"--resolve {hosts[0]}:{door.https_port}:{caddy.ADDRESS}"
    return "\n".join(
        [
            *lines,
            f"The CA that signed them: {door.root}",
            f"  curl --cacert {door.root} {resolve} https://{hosts[0]}:{door.https_port}/v1/models",
            f"A name that is nobody's gets none: curl -k https://{_STRANGER}:{door.https_port}/",
        ]
    )
