"""Parts of an answer written into blocks for an Anthropic client, whoever answered.

A seal of another format goes out wrapped in `signature` or `data`. One that belongs to a tool call has no place in
`tool_use`: it goes as a `redacted_thinking` block that names the call, which clients return like any other.
"""

from typing import Final, assert_never

from msgspec import Raw

from yescale.domain.content import (
    Audio,
    Citation,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.seals import wrap_seal
from yescale.protocols.anthropic_messages import citations, hosted
from yescale.protocols.anthropic_messages.blocks import SEAL_OF_CALL
from yescale.protocols.anthropic_messages.prompting import Block, tool_id
from yescale.protocols.anthropic_messages.taking import object_text
from yescale.protocols.anthropic_messages.words import ID

_SERVER_ID: Final = "srvtoolu_"


def write_part(part: Part) -> list[Block | Raw]:
    """The blocks of one whole part."""
    match part:
        case Text() | Refusal() | Image() | File() | Audio():
            return _write_text(part)
        case Thinking():
            return [write_thought(part)]
        case ToolCall():
            return [*carry_seal(part), {**open_call(part), "input": _input(part)}]
        case HostedCall():
            return _only(hosted.write_call(part, server_id(part.id)))
        case HostedResult():
            return _only(hosted.write_result(part, server_id(part.call_id)))
        case Opaque():
            return [part.raw] if part.origin == ID else []
        case ToolResult():
            return []  # no answer holds one
        case _:
            assert_never(part)


def _only(block: Block | Raw | None) -> list[Block | Raw]:
    return [] if block is None else [block]


def _write_text(part: Text | Refusal | Image | File | Audio) -> list[Block | Raw]:
    text = words_of(part)
    if not text:
        return []
    block: Block = {"type": "text", "text": text}
    if isinstance(part, Text) and (cited := write_citations(part.citations)):
        block["citations"] = cited
    return [block]


def words_of(part: Text | Refusal | Image | File | Audio) -> str:
    """What an answer says, as text: Anthropic's answers show pictures and files as Markdown at best."""
    match part:
        case Text() | Refusal():
            return part.text
        case Audio():
            return part.transcript
        case Image():
            return f"![image]({_address(part.source)})"
        case File():
            return f"[{part.name or 'file'}]({_address(part.source)})"


def _address(source: Source) -> str:
    match source:
        case Inline():
            return f"data:{source.media_type};base64,{source.data}"
        case Url():
            return source.url
        case Stored():
            return source.file_id


def write_citations(cited: tuple[Citation, ...]) -> list[object]:
    """Those that can be shown."""
    return [wire for each in cited if (wire := citations.write(each)) is not None]


def write_thought(part: Thinking) -> Block:
    """A whole thought."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": carried(part.seal, part.origin)}
    return {"type": "thinking", "thinking": part.text, "signature": carried(part.seal, part.origin)}


def carried(seal: str, origin: ProtocolId | None) -> str:
    """A seal as it stands in our blocks: bare if it is Anthropic's, else with its origin."""
    return seal if origin is None or origin == ID else wrap_seal(seal, origin)


def carry_seal(part: ToolCall) -> list[Block | Raw]:
    """The block that carries the seal of a call."""
    if not part.seal or part.origin is None or part.origin == ID:
        return []
    return [
        {"type": "redacted_thinking", "data": wrap_seal(f"{SEAL_OF_CALL}{tool_id(part.id)}:{part.seal}", part.origin)}
    ]


def open_call(part: ToolCall) -> Block:
    """A call as its block begins, without its arguments."""
    return {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": {}}


def _input(part: ToolCall) -> Raw | Block:
    """Arguments as an object; what is none goes inside one, so that nothing the model wrote is hidden."""
    if part.custom:
        return {"input": part.arguments}
    if not part.arguments.strip():
        return {}
    return Raw(part.arguments.encode()) if object_text(part.arguments) else {"_raw": part.arguments}


def server_id(call_id: str) -> str:
    """The id of a provider's own call in the form of Anthropic's."""
    return call_id if call_id.startswith(_SERVER_ID) else _SERVER_ID + tool_id(call_id).replace("-", "_")
