"""The turns of a request for Converse: they alternate, begin with the user's, and a document never stands alone.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Raw

from yescale.domain.chat import Message
from yescale.domain.content import File, Text, ToolResult
from yescale.protocols.bedrock_converse.prompting import Block, BlockWriter

Blocks = list[Block | Raw]

_BEGIN: Final = "(The conversation begins with the assistant.)"
_SEE: Final = "See the document."


def write_turns(messages: Sequence[Message], writer: BlockWriter) -> list[Block]:
    """All turns that have something to say."""
    turns: list[tuple[str, Blocks]] = []
    for message in messages:
        if message.name:
            writer.lose("message.name", "Converse's turns have no names", "hint")
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _system(message, writer) if message.role == "system" else _write(message, writer)
        if blocks and turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))
    if turns and turns[0][0] != "user":
        writer.lose("messages", "Converse wants a user's turn first: one says so", "hint")
        turns.insert(0, ("user", [{"text": _BEGIN}]))
    return [{"role": role, "content": blocks} for role, blocks in turns]


def _write(message: Message, writer: BlockWriter) -> Blocks:
    """Results of tools come first; a document has words beside it."""
    parts = sorted(message.parts, key=lambda part: not isinstance(part, ToolResult))
    blocks = [block for part in parts for block in writer.write(part, message.role)]
    documents = any(isinstance(part, File) for part in parts)
    if documents and blocks and not any(isinstance(part, Text) and part.text.strip() for part in parts):
        writer.lose("part.file", "Converse wants words beside a document: two or three are added", "hint")
        blocks.append({"text": _SEE})
    return blocks


def _system(message: Message, writer: BlockWriter) -> Blocks:
    """System words in the user's turn, marked as what they are (promise 25)."""
    writer.lose("message.system", "Converse takes system words in front only: they go as the user's", "setting")
    texts = [part.text for part in message.parts if isinstance(part, Text) and part.text.strip()]
    return [{"text": f"<system>\n{text}\n</system>"} for text in texts]
