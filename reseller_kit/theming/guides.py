"""Setting up single clients: what a customer pastes, with the storefront's own address and models. Runs nothing itself.

Source: the clients' own documentation of base URLs, keys and settings files.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Callable, Mapping
from typing import Final

from .page import Page
from .snippets import QUESTION, Snippet, curl, export_key, key_variable, node, python


def steps(page: Page) -> tuple[Snippet, ...]:
    """The pieces of the guide that the page is, in order."""
    return GUIDES[page.path.rpartition("/")[2]](page)


def _openai_sdk(page: Page) -> tuple[Snippet, ...]:
    responses = f"""import os
from openai import OpenAI

client = OpenAI(
    base_url={_text(page.base_url)},
    api_key=os.environ["{key_variable(page)}"],
)
response = client.responses.create(
    model={_text(page.sample_model)},
    input="{QUESTION}",
)
print(response.output_text)"""
    return export_key(page), python(page), node(page), Snippet("responses", "Python", "python", responses)


def _anthropic_sdk(page: Page) -> tuple[Snippet, ...]:
    in_python = f"""import os
from anthropic import Anthropic

client = Anthropic(
    base_url={_text(_origin(page))},
    api_key=os.environ["{key_variable(page)}"],
)
with client.messages.stream(
    model={_text(_claude(page))},
    max_tokens=1024,
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)"""
    in_node = f"""import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({{
  baseURL: {_text(_origin(page))},
  apiKey: process.env.{key_variable(page)},
}});
const stream = client.messages.stream({{
  model: {_text(_claude(page))},
  max_tokens: 1024,
  messages: [{{ role: "user", content: "{QUESTION}" }}],
}});
stream.on("text", (text) => process.stdout.write(text));
await stream.finalMessage();"""
    return (
        export_key(page),
        Snippet("python", "Python", "python", in_python),
        Snippet("node", "Node", "javascript", in_node),
    )


def _claude_code(page: Page) -> tuple[Snippet, ...]:
    environment = f"""unset ANTHROPIC_API_KEY
export ANTHROPIC_BASE_URL={_text(_origin(page))}
export ANTHROPIC_AUTH_TOKEN="{page.brand.key_prefix}_your_key"
export ANTHROPIC_MODEL={_text(_claude(page))}
export ANTHROPIC_DEFAULT_HAIKU_MODEL={_text(_claude(page))}"""
    return Snippet("environment", "Terminal", "shell", environment), Snippet("start", "Terminal", "shell", "claude")


def _codex(page: Page) -> tuple[Snippet, ...]:
    provider = page.brand.slug
    config = f"""model = {_text(page.sample_model)}
model_provider = "{provider}"

[model_providers.{provider}]
name = {_text(page.brand.name)}
base_url = {_text(page.base_url)}
env_key = "{key_variable(page)}"
wire_api = "responses\""""
    return (
        export_key(page),
        Snippet("config", "~/.codex/config.toml", "toml", config),
        Snippet("start", "Terminal", "shell", "codex"),
    )


def _librechat(page: Page) -> tuple[Snippet, ...]:
    key = f"{key_variable(page)}={page.brand.key_prefix}_your_key"
    config = f"""version: 1.2.1
endpoints:
  custom:
    - name: {_text(page.brand.name)}
      apiKey: "${{{key_variable(page)}}}"
      baseURL: {_text(page.base_url)}
      models:
        default: [{_text(page.sample_model)}]
        fetch: true
      titleConvo: true
      titleModel: {_text(page.sample_model)}"""
    return Snippet("env", ".env", "shell", key), Snippet("config", "librechat.yaml", "yaml", config)


def _vscode(page: Page) -> tuple[Snippet, ...]:
    model = {
        "id": page.sample_model,
        "name": page.sample_model,
        "url": page.base_url + "/chat/completions",
        "toolCalling": True,
        "vision": False,
        "maxInputTokens": page.sample.context if page.sample else 128_000,
        "maxOutputTokens": page.sample.max_output if page.sample else 8_192,
    }
    # VS Code has written the file's other members by itself.
    copilot = textwrap.dedent(json.dumps({"models": [model]}, indent=2, ensure_ascii=False)[2:-2])
    return Snippet("copilot", "chatLanguageModels.json", "json", copilot), *_continue(page), *_cline(page)


def _continue(page: Page) -> tuple[Snippet, ...]:
    config = f"""name: {_text(page.brand.name)}
version: 1.0.0
schema: v1
models:
  - name: {_text(page.sample_model)}
    provider: openai
    model: {_text(page.sample_model)}
    apiBase: {_text(page.base_url)}
    apiKey: {page.brand.key_prefix}_your_key"""
    return (Snippet("continue", "~/.continue/config.yaml", "yaml", config),)


def _cline(page: Page) -> tuple[Snippet, ...]:
    fields = f"""API Provider: OpenAI Compatible
Base URL: {page.base_url}
API Key: {page.brand.key_prefix}_your_key
Model ID: {page.sample_model}"""
    return (Snippet("cline", "Cline", "yaml", fields),)


def _aider(page: Page) -> tuple[Snippet, ...]:
    environment = f"""export OPENAI_API_BASE={_text(page.base_url)}
export OPENAI_API_KEY="{page.brand.key_prefix}_your_key\""""
    # The prefix tells aider which API to speak; it is taken off before the call.
    start = f"aider --model openai/{page.sample_model}"
    return Snippet("environment", "Terminal", "shell", environment), Snippet("start", "Terminal", "shell", start)


def _langchain(page: Page) -> tuple[Snippet, ...]:
    in_python = f"""import os
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model={_text(page.sample_model)},
    base_url={_text(page.base_url)},
    api_key=os.environ["{key_variable(page)}"],
)
for chunk in model.stream("{QUESTION}"):
    print(chunk.content, end="", flush=True)"""
    in_node = f"""import {{ ChatOpenAI }} from "@langchain/openai";

const model = new ChatOpenAI({{
  model: {_text(page.sample_model)},
  apiKey: process.env.{key_variable(page)},
  configuration: {{ baseURL: {_text(page.base_url)} }},
}});
for await (const chunk of await model.stream("{QUESTION}")) {{
  process.stdout.write(chunk.text);
}}"""
    return (
        export_key(page),
        Snippet("python", "Python", "python", in_python),
        Snippet("node", "Node", "javascript", in_node),
    )


def _vercel_ai_sdk(page: Page) -> tuple[Snippet, ...]:
    code = f"""import {{ createOpenAICompatible }} from "@ai-sdk/openai-compatible";
import {{ streamText }} from "ai";

const provider = createOpenAICompatible({{
  name: {_text(page.brand.slug)},
  baseURL: {_text(page.base_url)},
  apiKey: process.env.{key_variable(page)},
  includeUsage: true,
}});
const {{ textStream }} = streamText({{
  model: provider({_text(page.sample_model)}),
  prompt: "{QUESTION}",
}});
for await (const text of textStream) {{
  process.stdout.write(text);
}}"""
    return export_key(page), Snippet("node", "Node", "javascript", code)


def _curl(page: Page) -> tuple[Snippet, ...]:
    key = f'-H "Authorization: Bearer ${key_variable(page)}"'
    call = curl(page)
    streamed = call.code.replace("curl ", "curl -N ", 1).replace('"messages"', '"stream": true,\n    "messages"', 1)
    return (
        export_key(page),
        Snippet("models", "Terminal", "shell", f"curl {shlex.quote(page.base_url + '/models')} {key}"),
        Snippet("chat", "Terminal", "shell", call.code),
        Snippet("stream", "Terminal", "shell", streamed),
        Snippet("credits", "Terminal", "shell", f"curl {shlex.quote(page.base_url + '/credits')} {key}"),
    )


GUIDES: Final[Mapping[str, Callable[[Page], tuple[Snippet, ...]]]] = {
    "openai-sdk": _openai_sdk,
    "anthropic-sdk": _anthropic_sdk,
    "claude-code": _claude_code,
    "codex": _codex,
    "librechat": _librechat,
    "vscode": _vscode,
    "continue": _continue,
    "cline": _cline,
    "aider": _aider,
    "langchain": _langchain,
    "vercel-ai-sdk": _vercel_ai_sdk,
    "curl": _curl,
}
"""By the last part of the page's path."""
TEMPLATE: Final = "storefront/docs/guide.html"
PATHS: Final[Mapping[str, str]] = {f"/docs/{name}": TEMPLATE for name in GUIDES}


def _origin(page: Page) -> str:
    """Clients of Anthropic's API add the version themselves."""
    return page.base_url.removesuffix("/v1")


def _claude(page: Page) -> str:
    """A model that clients of Anthropic's API know how to use, where there is one."""
    return next((model.name for model in page.models if "claude" in model.name), page.sample_model)


def _text(value: str) -> str:
    """A string of JSON, which Python, JavaScript, TOML and YAML read alike, and a shell too for addresses and names."""
    return json.dumps(value, ensure_ascii=False)
