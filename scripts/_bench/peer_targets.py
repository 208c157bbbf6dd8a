"""Starts gateways of others before the upstream, each as its makers run it, on the measured core. Measures nothing."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from scripts._bench import peer_programs
from scripts._bench.cores import Cores
from scripts._bench.scenarios import CHAT_MODEL
from scripts._bench.targets import Target, on_core
from scripts._lib.ports import free_port

_LITELLM_READY_SECONDS: Final = 300
_LITELLM_SHARE: Final = 0.02
_PORTKEY_SHARE: Final = 0.5
_NGINX: Final = """\
daemon off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log {scratch}/nginx-errors.log;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    client_body_temp_path {scratch}/nginx-bodies;
    proxy_temp_path {scratch}/nginx-answers;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    upstream emulator {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://emulator;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""

Starter = Callable[[Path, Cores, Target], AbstractContextManager[Target]]


@contextmanager
def nginx(scratch: Path, cores: Cores, upstream: Target) -> Iterator[Target]:
    """A reverse proxy of nginx with one worker that hands pieces on as they come."""
    program, port = peer_programs.nginx(), free_port()
    config = scratch / "nginx.conf"
    text = _NGINX.format(scratch=scratch, upstream=upstream.port, port=port)
    # A worker of root's would be somebody who may not enter the folder.
    config.write_text(f"user root;\n{text}" if os.geteuid() == 0 else text, encoding="utf-8")
    command = [program, "-c", str(config), "-e", str(scratch / "nginx-errors.log")]
    with on_core(cores.measured, "nginx", command, scratch, port) as pid:
        yield Target("nginx", port, pid, peer=True)


@contextmanager
def go_proxy(scratch: Path, cores: Cores, upstream: Target) -> Iterator[Target]:
    """A reverse proxy of Go's net/http."""
    program, port = peer_programs.go_proxy(), free_port()
    command = [str(program), f"127.0.0.1:{port}", f"http://127.0.0.1:{upstream.port}"]
    with on_core(cores.measured, "go", command, scratch, port) as pid:
        yield Target("Go net/http", port, pid, peer=True)


@contextmanager
def portkey(scratch: Path, cores: Cores, upstream: Target) -> Iterator[Target]:
    """Portkey's gateway, told with each call where to go."""
    (node, program), port = peer_programs.portkey(), free_port()
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream.port}/v1",
    }
    environment = _environment({"NODE_ENV": "production"})
    command = [node, str(program), f"--port={port}", "--headless"]
    with on_core(cores.measured, "portkey", command, scratch, port, environment) as pid:
        yield Target("Portkey", port, pid, headers=headers, share=_PORTKEY_SHARE, peer=True)


@contextmanager
def litellm(scratch: Path, cores: Cores, upstream: Target) -> Iterator[Target]:
    """LiteLLM's proxy with one worker and one model, without a database."""
    program, port = peer_programs.litellm(), free_port()
    config = scratch / "litellm.yaml"
    model = {
        "model": f"openai/{CHAT_MODEL}",
        "api_base": f"http://127.0.0.1:{upstream.port}/v1",
        "api_key": "sk-bench-upstream",
    }
    key = f"sk-{secrets.token_urlsafe(32)}"
    told = {
        "model_list": [{"model_name": CHAT_MODEL, "litellm_params": model}],
        "general_settings": {"master_key": key},
    }
    # JSON is YAML.
    config.write_text(json.dumps(told), encoding="utf-8")
    command = [
        str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
        "--num_workers", "1", "--telemetry", "False",
    ]  # fmt: skip
    environment = _environment({"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"})
    started = on_core(
        cores.measured, "litellm", command, scratch, port, environment, ready_seconds=_LITELLM_READY_SECONDS
    )
    with started as pid:
        # Ten milliseconds of processor time a call: a fixed rate of hundreds is beyond it.
        yield Target("LiteLLM", port, pid, key=key, share=_LITELLM_SHARE, timed=False, peer=True)


STARTERS: Final[Mapping[str, Starter]] = {"nginx": nginx, "go": go_proxy, "portkey": portkey, "litellm": litellm}
"""By the name that the command line knows them by."""


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would lead a client on loopback to a proxy."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | dict(own)
