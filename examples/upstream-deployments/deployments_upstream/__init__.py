"""Upstreams that speak OpenAI's API with a model's deployment in the path, a version in the query, a key in `api-key`.

Azure's older endpoints are such. Everything else, from pools of keys to streams, is the product's own client.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from reseller_kit.plugins import (
    DIRECT,
    Headers,
    InvalidRequest,
    KeyedUpstream,
    Passage,
    Response,
    UpstreamPlugin,
    UpstreamSetup,
)


class DeploymentsUpstream(KeyedUpstream):
    """`POST {base_url}/openai/deployments/{model}/chat/completions?api-version={api_version}`."""

    def __init__(self, setup: UpstreamSetup) -> None:
        """Raises InvalidRequest for an upstream that is not said to speak OpenAI's API."""
        if setup.dialect != "openai":
            raise InvalidRequest('An upstream with deployments has dialect = "openai".', param="dialect")
        self._query = f"api-version={setup.options['api_version']}"
        super().__init__(
            setup.endpoint,
            setup.api_keys,
            setup.ceilings,
            key_headers=_key_headers,
            check_path=f"/openai/models?{self._query}",
        )

    async def open(
        self,
        path: str,
        body: bytes,
        *,
        stream: bool,
        request_id: str,
        headers: Sequence[tuple[str, str]] = (),
        affinity: int | None = None,
        passage: Passage = DIRECT,
    ) -> Response:
        """The product's path behind the deployment that the body names as its model."""
        deployment = quote(str(json.loads(body)["model"]), safe="")
        return await super().open(
            f"/openai/deployments/{deployment}{path}?{self._query}",
            body,
            stream=stream,
            request_id=request_id,
            headers=headers,
            affinity=affinity,
            passage=passage,
        )


def _key_headers(api_key: str) -> Headers:
    return (("api-key", api_key),)


plugin = UpstreamPlugin(make=DeploymentsUpstream, required=("api_version",))
