"""Requests for Google, written.

Nothing is added that the client did not say (promise 30): no safety settings either, although the contract (10.1)
says they are relaxed. Google's own default for Gemini 2.5 and later is that the filters are off, which is as relaxed
as they can be: https://ai.google.dev/gemini-api/docs/safety-settings#default
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, Message, Tool
from yescale.domain.content import File, Stored
from yescale.domain.loss import weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.codec import Encoded
from yescale.protocols.gemini_generate.config import PREFIX
from yescale.protocols.gemini_generate.losses import Losses
from yescale.protocols.gemini_generate.requests import CACHES
from yescale.protocols.gemini_generate.seals import ORIGIN
from yescale.protocols.gemini_generate.tools import encode_choice, encode_tools, reserve_names
from yescale.protocols.gemini_generate.tuning import encode_config
from yescale.protocols.gemini_generate.turns import encode_contents
from yescale.protocols.gemini_generate.writing import ENCODER, Wire

_NONE: Final[Mapping[str, Raw]] = MappingProxyType({})
_NESTED: Final = "toolConfig."
_CALLING: Final = "toolConfig.functionCallingConfig."
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"default": "standard", "flex": "flex", "priority": "priority"})


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body of a request; model and stream stand in its path."""
    request = reserve_names(request)
    own = request.extras.get(ORIGIN, _NONE)
    losses = Losses()
    cache, messages = _split_cache(request.messages)
    wire: Wire = {"contents": encode_contents(messages, profile, losses)}
    if request.system:
        wire["systemInstruction"] = {"parts": [{"text": text.text} for text in request.system]}
    if cache:
        wire["cachedContent"] = cache
    wire.update(_encode_tools(request, own, losses))
    config = encode_config(request, profile, losses) | _under(PREFIX, own)
    if config:
        wire["generationConfig"] = config
    if request.service_tier:
        wire.update(_encode_tier(request.service_tier, losses))
    wire.update({name: value for name, value in own.items() if "." not in name})
    _note_rest(request, losses)
    return Encoded(ENCODER.encode(wire), losses.all())


def _split_cache(messages: tuple[Message, ...]) -> tuple[str, tuple[Message, ...]]:
    """The name of a context cache in front of the conversation, and the conversation without it."""
    first = messages[0].parts[0] if messages and messages[0].parts else None
    source = first.source if isinstance(first, File) else None
    if not isinstance(source, Stored) or source.origin != ORIGIN or not source.file_id.startswith(CACHES):
        return "", messages
    return source.file_id, (replace(messages[0], parts=messages[0].parts[1:]), *messages[1:])


def _under(prefix: str, own: Mapping[str, Raw]) -> Wire:
    """The extras of one object by their names within it."""
    fields = {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}
    return {name: value for name, value in fields.items() if "." not in name}


def _encode_tools(request: ChatRequest, own: Mapping[str, Raw], losses: Losses) -> Wire:
    wire: Wire = {}
    tools = encode_tools(request, own, losses)
    if tools:
        wire["tools"] = tools
    calling = _under(_CALLING, own)
    if request.tool_choice is not None and any(isinstance(tool, Tool) for tool in request.tools):
        calling = encode_choice(request.tool_choice) | calling  # without functions Google refuses it
    config = _under(_NESTED, own)
    if calling:
        config["functionCallingConfig"] = calling
    if config:
        wire["toolConfig"] = config
    if request.parallel_tools is False:
        losses.add("parallel_tools", "Gemini decides how many functions it calls", "setting")
    return wire


def _encode_tier(tier: str, losses: Losses) -> Wire:
    if tier in _TIERS:
        return {"serviceTier": _TIERS[tier]}
    losses.add("service_tier", "Gemini has no such tier", "hint" if tier == "auto" else "setting")
    return {}


def _note_rest(request: ChatRequest, losses: Losses) -> None:
    if any(text.cache is not None for text in request.system):
        losses.add("cache", "Gemini caches prompts by itself", "hint")
    if request.cache_key:
        losses.add("cache_key", "Gemini caches prompts by itself", "hint")
    if request.user:
        losses.add("user", "Gemini is not told who asks", "hint")
    for origin, fields in request.extras.items():
        for name in fields if origin != ORIGIN else ():
            losses.add(f"extras.{name}", f"only {origin} knows it", weigh_extra(name))
