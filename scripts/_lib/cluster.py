"""The deployment's topology as plain processes on loopback: PostgreSQL, Redis or Valkey, the product, Caddy.

For tests, measurements and a look around; everything is gone at the end. Never a service.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts._lib import caddy, postgres
from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.caddy import Door, running_caddy
from scripts._lib.demo import example, product
from scripts._lib.ports import free_port
from scripts._lib.processes import Child, ChildFailed, running
from scripts._lib.redis import RedisServer, running_redis

EXAMPLE: Final = ROOT / "tenants.example.toml"
ADDRESS: Final = "127.0.0.1"
SHUTDOWN_DELAY_SECONDS: Final = 4
"""Above the two seconds that the Caddyfile's checks take to notice."""
_END_SECONDS: Final = SHUTDOWN_DELAY_SECONDS + 45
_DATABASE: Final = "cluster"

Program = Sequence[str | Path]
THIS_VERSION: Final[Program] = (VENV / "bin" / "reseller-kit",)


class Node:
    """One process of the product, which can end and start again, as another version too."""

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str], workers: int) -> None:
        self.number, self.port, self._workers = number, free_port(ADDRESS), workers
        self._folder, self._environment = folder, environment
        self._starts = 0
        self._stack = ExitStack()
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """As Caddy is told of it."""
        return f"{ADDRESS}:{self.port}"

    def start(self, program: Program = THIS_VERSION, environment: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it is ready. Raises ChildFailed."""
        self._starts += 1
        command = [*program, "serve", "--host", ADDRESS, "--port", str(self.port)]
        command += ["--workers", str(self._workers)]
        child = running(
            f"process {self.number}",
            [*command, "--shutdown-delay", str(SHUTDOWN_DELAY_SECONDS)],
            log=self._folder / f"server-{self.number}-{self._starts}.log",
            answers_on=[(ADDRESS, self.port)],
            environment={**self._environment, **(environment or {})},
        )
        self.child = self._stack.enter_context(child)
        self._wait_until_ready()

    def end(self) -> int:
        """SIGTERM, then wait while it drains; its exit code. Raises ChildFailed when it takes too long."""
        if self.child is None:
            return 0
        child, self.child = self.child, None
        child.process.send_signal(signal.SIGTERM)
        try:
            return child.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"{child.name} did not end:\n{child.tail()}") from None
        finally:
            self._stack.close()

    def close(self) -> None:
        """End it in any way."""
        self._stack.close()

    def _wait_until_ready(self) -> None:
        # It listens before it has read what it serves; an answer of any kind comes after that.
        import http.client  # noqa: PLC0415  # used here alone

        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=60)
        try:
            connection.request("GET", "/readyz")
            connection.getresponse().read()
        except OSError as error:
            tail = self.child.tail() if self.child else ""
            raise ChildFailed(f"process {self.number} is not ready ({error}):\n{tail}") from None
        finally:
            connection.close()


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up."""

    folder: Path
    operator: product.Operator
    storefronts: tuple[example.Storefront, ...]
    nodes: tuple[Node, ...]
    door: Door
    database: postgres.Server
    redis: RedisServer
    journal_url: str
    text: str

    def host_of(self, storefront: example.Storefront) -> str:
        """The name under which a storefront has a certificate."""
        return next(host for host in storefront.hosts if host.endswith(".localhost"))

    def roll(
        self,
        program: Program = THIS_VERSION,
        environment: Mapping[str, str] | None = None,
        *,
        pause: Callable[[], None],
    ) -> list[int]:
        """Replace each process in turn, `pause` after each; the exit codes of those that ended."""
        codes = []
        for node in self.nodes:
            codes.append(node.end())
            node.start(program, environment)
            pause()
        return codes

    def failed(self) -> str | None:
        """What has ended by itself, with the end of its log."""
        children = [*(node.child for node in self.nodes), self.door.child]
        for child in filter(None, children):
            if child.process.poll() is not None:
                return f"{child.name} has ended with {child.process.returncode}:\n{child.tail()}"
        return None


@contextmanager
def running_cluster(
    folder: Path, *, size: int = 2, workers: int = 1, https_port: int = 0, durable: bool = False
) -> Iterator[Cluster]:
    """The example's storefronts on a cluster of `size` servers of so many processes; stopped at the end.

    Raises ChildFailed.

    `durable`: PostgreSQL waits for its disk, as it has to where money is real.
    """
    with ExitStack() as stack:
        https = https_port or free_port(ADDRESS)
        shop = example.read(EXAMPLE)
        upstream = free_port(shop.upstream_host, preferred=shop.upstream_port)
        stack.enter_context(_emulator(shop.upstream_host, upstream, folder))
        database = stack.enter_context(postgres.running_server(durable=durable))
        redis = stack.enter_context(running_redis())
        environment = _environment(folder, shop, database, redis)
        operator = product.Operator(environment)
        text = _text(shop, upstream, https)
        _prepare(operator, folder, text, database)
        nodes = tuple(Node(number, folder, environment, workers) for number in range(1, size + 1))
        for node in nodes:
            stack.callback(node.close)
            node.start()
        addresses = " ".join(node.address for node in nodes)
        door = stack.enter_context(running_caddy(folder / "caddy", upstream=addresses, https_port=https))
        journal_url = f"http://{shop.upstream_host}:{upstream}/journal"
        yield Cluster(folder, operator, shop.storefronts, nodes, door, database, redis, journal_url, text)


@contextmanager
def _emulator(host: str, port: int, folder: Path) -> Iterator[Child]:
    command: list[str | Path] = [VENV / "bin" / "python", ROOT / "scripts" / "emulator", "--host", host]
    command += ["--port", str(port), "--journal", folder / "journal.jsonl"]
    with running("the emulator", command, log=folder / "emulator.log", answers_on=[(host, port)]) as child:
        yield child


def _environment(folder: Path, shop: example.Example, database: postgres.Server, redis: RedisServer) -> dict[str, str]:
    """As the deployment has it: what is secret lies in files."""
    kept = product.environment_for(folder / "data", shop.secret_names())
    files = {
        "DATABASE_URL": database.url(_DATABASE),
        "SECRET_KEY": secrets.token_urlsafe(32),
        "CACHE_URL": redis.url,
    }
    for name, value in files.items():
        file = folder / name.lower()
        file.touch(mode=0o600)
        file.write_text(value + "\n", encoding="utf-8")
        kept[f"RESELLER_KIT_{name}_FILE"] = str(file)
    return {**kept, "RESELLER_KIT_TRUSTED_PROXIES": caddy.ADDRESS}


def _text(shop: example.Example, upstream_port: int, https_port: int) -> str:
    """The example, with absolute URLs that name Caddy's port."""
    text = shop.with_upstream_port(upstream_port)
    return text.replace("[platform]\n", f'[platform]\npublic_url = "https://{{host}}:{https_port}"\n', 1)


def _prepare(operator: product.Operator, folder: Path, text: str, database: postgres.Server) -> None:
    import asyncio  # noqa: PLC0415  # for one statement

    import asyncpg  # noqa: PLC0415  # as above

    async def create() -> None:
        connection = await asyncpg.connect(database.url(driver="postgresql"))
        try:
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()

    asyncio.run(create())
    manifest = folder / "tenants.toml"
    manifest.write_text(text, encoding="utf-8")
    operator.run("db", "upgrade")
    operator.run("apply", "--yes", "-f", str(manifest))
