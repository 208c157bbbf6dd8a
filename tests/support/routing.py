"""Scripted upstreams behind the real routes of a call, without sockets or a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from types import SimpleNamespace
from typing import Any, cast

from reseller_kit.core.catalog import OfferedModel, PriceList, PriceVersion, Route
from reseller_kit.core.storefront import Storefront, UpstreamConfig
from reseller_kit.db.authentication import KeyAccount
from reseller_kit.flows.call.job import Caller, Job, Wanted
from reseller_kit.flows.endpoints import Endpoints
from reseller_kit.flows.runtime import Runtime
from reseller_kit.telemetry.metrics import Metrics
from reseller_kit.upstream.response import Refusal
from reseller_kit.wire.verdict import verdict
from tests.support.pools import key_pool

Answer = Callable[[], Any]
ACCOUNT = KeyAccount(
    key_id="key_1",
    tenant_id=1,
    customer_id="cus_1",
    wallet_id=1,
    customer_status="active",
    models=(),
    limit_nano=None,
    limit_reset=None,
    requests_per_minute=None,
    expires_at=None,
    group_id=None,
)


def price(name: str, level: str = "cost", **prices: int) -> PriceVersion:
    """A price version."""
    return PriceVersion(id=name, level=level, price_list=PriceList(prices=prices or {"input": 10, "output": 10}))


def route(upstream: str, *, model: str = "vendor", priority: int = 0, weight: int = 1, cost: int = 10) -> Route:
    """A route to an upstream at a flat price."""
    return Route(
        id=1,
        upstream=upstream,
        upstream_model=model,
        priority=priority,
        weight=weight,
        cost=price(f"prc_{upstream}_{cost}", input=cost, output=cost),
    )


def offer(name: str, *routes: Route, retail: int = 40, **changes: Any) -> OfferedModel:
    """A model at a flat price."""
    values: dict[str, Any] = {
        "name": name,
        "model": name,
        "context": 1_000,
        "max_output": 500,
        "retail": price(f"prc_{name}_retail", "retail", input=retail, output=retail),
        "wholesale": price(f"prc_{name}_wholesale", "wholesale", input=retail // 2, output=retail // 2),
        "routes": routes,
        "created_at": 0,
    }
    return OfferedModel(**(values | changes))


class Scripted:
    """An upstream's client that answers by its script, then goes on as it did last. `asked`: how often it was."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.keys = 1
        self.affinities: list[int | None] = []

    def usable(self) -> bool:
        """Whether there is a key."""
        return self.keys > 0

    def soonest(self) -> float:
        """Seconds until there is one."""
        return 0.0 if self.keys else 7.0

    async def open(self, _path: str, _body: bytes, **options: Any) -> Any:
        """What the script says."""
        self.asked += 1
        self.affinities.append(options.get("affinity"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        return answer()


def make_runtime(clients: dict[str, Any], **settings: Any) -> Runtime:
    """A runtime with these upstreams; what it would write to a database is dropped."""
    configs = {
        name: UpstreamConfig(
            name=name,
            dialect="openai",
            base_url="",
            provider="openai",
            api_keys=key_pool("key 1", "key 2"),
            headers=(),
            settings=settings.get(name, {}),
        )
        for name in clients
    }
    metrics = Metrics()

    def spawn(work: Coroutine[Any, Any, Any], _name: str) -> asyncio.Task[Any]:
        work.close()
        return asyncio.ensure_future(asyncio.sleep(0))

    runtime = SimpleNamespace(
        snapshot=SimpleNamespace(upstreams=configs, hidden_words=()),
        vault=SimpleNamespace(pepper=b"pepper"),
        upstream=clients.__getitem__,
        metrics=metrics,
        endpoints=Endpoints(cast("Any", None), metrics, spawn),
    )
    return cast("Runtime", runtime)


def make_job(offered: OfferedModel, *others: OfferedModel, account: KeyAccount = ACCOUNT, **wanted: Any) -> Job:
    """A held call of a model, on a storefront that offers others as well."""
    models = {model.name: model for model in (offered, *others)}
    storefront = SimpleNamespace(tenant_id=1, slug="aurora", models=models)
    caller = Caller(
        request_id="req_1",
        storefront=cast("Storefront", storefront),
        account=account,
        dialect="openai",
        started_ns=0,
        now=0,
    )
    values: dict[str, Any] = {"stream": False, "choices": 1, "input_bound": 0, "output_limit": None}
    return Job(
        caller=caller,
        wanted=Wanted(**(values | wanted)),
        offered=offered,
        served=offered,
        output_limit=100,
        window=None,
        epoch=1,
    )


def answered(status: int = 200, body: bytes = b"{}") -> Answer:
    """An answer with this status and body."""

    async def read(_limit: int) -> bytes:
        return body

    refusal = Refusal(body, verdict(status, {}, body, 0.0)) if status >= 300 else None
    return lambda: SimpleNamespace(
        status=status, headers={}, read=read, abort=lambda: None, refusal=refusal, ticket=None
    )


def raising(error: Exception) -> Answer:
    """No answer but this error."""

    def fail() -> Any:
        raise error

    return fail


def names(routes: Iterable[Route]) -> list[str]:
    """The upstreams of routes."""
    return [found.upstream for found in routes]
