"""The turns of a request for Anthropic: system words where they may stand, results of tools first, like turns as one.

Sources: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages and
https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls (results come first in their turn).
"""

from collections.abc import Sequence

from msgspec import Raw, Struct

from yescale.domain.chat import Message
from yescale.domain.content import Text, ToolResult
from yescale.protocols.anthropic_messages.prompting import Block, BlockWriter


class Turn(Struct, frozen=True):
    """One turn on the wire; `results` come before the other blocks."""

    role: str
    results: list[Block | Raw]
    blocks: list[Block | Raw]

    def wire(self) -> Block:
        """The turn as it is sent."""
        return {"role": self.role, "content": self.results + self.blocks}


def write_turns(messages: Sequence[Message], writer: BlockWriter, *, late_system: bool) -> list[Block]:
    """All turns that have something to say."""
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        if message.name:
            writer.lose("message.name", "Anthropic's turns have no names", "hint")
        turn = Turn(message.role, [], [])
        for place, part in enumerate(message.parts):
            block = writer.write(part, message.role, f"messages.{number}.content.{place}")
            if block is not None:
                (turn.results if isinstance(part, ToolResult) else turn.blocks).append(block)
        if message.role == "system" and not (late_system and _may_stand(turns, messages, number)):
            turn = _as_user(message, writer)
        if turn.results or turn.blocks:
            _add(turns, turn)
    return [turn.wire() for turn in turns]


def _may_stand(before: list[Turn], messages: Sequence[Message], number: int) -> bool:
    """A system turn follows a user's and comes before an assistant's or at the end."""
    last = number + 1 == len(messages)
    return bool(before) and before[-1].role == "user" and (last or messages[number + 1].role == "assistant")


def _as_user(message: Message, writer: BlockWriter) -> Turn:
    """System words in the user's turn, marked as what they are (promise 25)."""
    writer.lose("message.system", "the model takes no system words at this place: they go as the user's", "setting")
    texts = [part.text for part in message.parts if isinstance(part, Text) and part.text]
    return Turn("user", [], [{"type": "text", "text": f"<system>\n{text}\n</system>"} for text in texts])


def _add(turns: list[Turn], turn: Turn) -> None:
    """Anthropic reads like turns in a row as one; servers that speak like it refuse them."""
    if turns and turns[-1].role == turn.role:
        turns[-1].results.extend(turn.results)
        turns[-1].blocks.extend(turn.blocks)
    else:
        turns.append(turn)
