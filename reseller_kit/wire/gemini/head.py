"""The members of a generateContent request that decide its charge, under either of the two spellings the API takes.

Source: Gemini API reference, "Generating content" and "GenerationConfig"; ProtoJSON (names in camel case or as in the
message, with underscores).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest
from ..json_body import is_given, parse_object
from ..members import REFUSED, Members, members, refuse_unknown
from ..ranges import Share, Temperature

MAX_OUTPUT_LIMIT: Final = 1 << 31
MAX_CANDIDATES: Final = 8
NOT_SENT: Final = ("labels", "store")
"""Members that speak of the account's own books and logs."""

_NAMES: Final = members(
    metered=(
        "cachedContent",
        "contents",
        "generationConfig",
        "model",
        "serviceTier",
        "systemInstruction",
        "toolConfig",
        "tools",
    ),
    documented=("safetySettings", *NOT_SENT),
    refused=REFUSED,
)
_CONFIG_NAMES: Final = members(
    metered=("candidateCount", "maxOutputTokens", "responseModalities"),
    documented=(
        "audioTimestamp",
        "audioTranscriptionConfig",
        "continuationToken",
        "enableEnhancedCivicAnswers",
        "frequencyPenalty",
        "imageConfig",
        "logprobs",
        "mediaResolution",
        "presencePenalty",
        "responseFormat",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseSchema",
        "seed",
        "speechConfig",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    ),
    # another model than the one that is priced
    refused=("modelSelectionConfig", "routingConfig"),
)
_UNDERSCORED: Final = re.compile(r"_+([a-z0-9])")
_STANDARD_TIERS: Final = frozenset({"standard", "unspecified"})
_MODALITIES: Final = {
    "MODALITY_UNSPECIFIED": None,
    "TEXT": None,
    "IMAGE": "output_image",
    "AUDIO": "output_audio",
}


class Config(Struct, rename="camel"):
    """What of a generation's configuration decides its charge."""

    max_output_tokens: Annotated[int, Meta(ge=1, le=MAX_OUTPUT_LIMIT)] | None = None
    candidate_count: Annotated[int, Meta(ge=1, le=MAX_CANDIDATES)] | None = None
    response_modalities: list[str] | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None


def fields_of(body: bytes | Raw) -> dict[str, Raw]:
    """The top level of a request under its names in camel case; members that say nothing are left out.

    Raises InvalidRequest for what is malformed or must not travel.
    """
    fields = _in_camel_case(parse_object(bytes(body)), _NAMES)
    if "cachedContent" in fields:
        raise InvalidRequest(
            "Cached contents belong to an account elsewhere. Send the contents themselves.", param="cachedContent"
        )
    return fields


def config_of(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """The members of `generationConfig` under their names in camel case. Raises as `fields_of` does."""
    given = fields.get("generationConfig")
    return {} if given is None else _in_camel_case(parse_object(bytes(given)), _CONFIG_NAMES)


def needs_of(modalities: list[str] | None) -> tuple[str, ...]:
    """The price classes beyond text that these modalities of an answer need. Raises InvalidRequest for others."""
    needs = []
    for modality in modalities or ():
        if modality not in _MODALITIES:
            raise InvalidRequest(
                'A modality is "TEXT", "IMAGE" or "AUDIO".', param="generationConfig.responseModalities"
            )
        name = _MODALITIES[modality]
        if name is not None and name not in needs:
            needs.append(name)
    return tuple(needs)


def check_tier(tier: str | None) -> None:
    """Raises InvalidRequest for a tier with a price of its own."""
    if tier is not None and tier.casefold() not in _STANDARD_TIERS:
        raise InvalidRequest('Only the service tier "standard" is offered here.', param="serviceTier")


def camel(name: str) -> str:
    """A name with underscores in camel case."""
    return _UNDERSCORED.sub(lambda found: found[1].upper(), name) if "_" in name else name


def _in_camel_case(given: dict[str, Raw], names: Members) -> dict[str, Raw]:
    fields: dict[str, Raw] = {}
    for name, value in given.items():
        known = camel(name)
        known = known if known in names.harmless else name
        if known in fields:
            raise InvalidRequest(f"The key {known[:80]!r} appears more than once.", param=known[:200])
        fields[known] = value
    refuse_unknown(fields, names)
    return {name: value for name, value in fields.items() if is_given(value)}
