"""Foreign seals in `encrypted_content`: how they lie in a reasoning item of a client of this format.

A plain one is a thought's. `redacted.` marks a thought of which nothing but the seal is known, `call.` the seal of the
tool call just before, whose item has no place for one.
"""

from typing import Final

from msgspec.structs import replace

from yescale.domain.content import Thinking, ToolCall
from yescale.domain.ids import ProtocolId
from yescale.domain.seals import unwrap_seal, wrap_seal
from yescale.protocols.openai_responses.schema import OWN

_REDACTED: Final = "redacted."
_CALL: Final = "call."


def carry(part: Thinking | ToolCall) -> str:
    """What `encrypted_content` says of a part's seal; "" = nothing. A foreign thought without one gets an empty one:
    clients without a store drop reasoning that has no encrypted content, though DeepSeek wants it back.
    """
    if part.origin == OWN or part.origin is None:
        return part.seal if part.origin == OWN else ""
    if not part.seal and not (isinstance(part, Thinking) and part.text):
        return ""
    return wrap_seal(_mark(part) + part.seal, part.origin)


def open_carrier(thought: Thinking) -> Thinking:
    """A reasoning item's thought with the seal's true origin."""
    seal, origin = unwrap_seal(thought.seal, OWN)
    if origin == OWN:
        return thought
    if seal.startswith(_REDACTED):
        return Thinking(seal=seal.removeprefix(_REDACTED), origin=origin, redacted=True)
    return replace(thought, seal=seal, origin=origin, id="")


def call_seal(thought: Thinking) -> tuple[str, ProtocolId] | None:
    """The seal and origin that belong to the tool call before, if this is their carrier."""
    if thought.origin is None or thought.origin == OWN or not thought.seal.startswith(_CALL):
        return None
    return thought.seal.removeprefix(_CALL), thought.origin


def _mark(part: Thinking | ToolCall) -> str:
    if isinstance(part, ToolCall):
        return _CALL
    return _REDACTED if part.redacted else ""
