"""Converse's own rules of a conversation, which it checks before the model sees it.

The words: langgenius/dify/issues/9294 (turns), and the Message and ToolConfiguration pages of the API reference.
"""

from collections.abc import Sequence

from yescale_sandbox.bedrock.refusal import RefusedError
from yescale_sandbox.bedrock.translation import Checked

_TOOL_BLOCKS = ("toolUse", "toolResult")


def check(request: Checked) -> None:
    """Raises: RefusedError."""
    messages: Sequence[Checked] = request["messages"]
    if messages[0]["role"] != "user":
        raise RefusedError(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for index, message in enumerate(messages):
        if index and message["role"] == messages[index - 1]["role"]:
            raise RefusedError(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
                "between user and assistant roles and try again."
            )
        _check_content(message, index)
    _check_tools(messages)
    if "toolConfig" not in request and any(_blocks(message, kind) for message in messages for kind in _TOOL_BLOCKS):
        raise RefusedError("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    if "guardrailConfig" in request:
        raise RefusedError("The guardrail identifier or version provided in the request does not exist.")


def _check_content(message: Checked, index: int) -> None:
    if not message["content"]:
        raise RefusedError(
            f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the "
            "content field and try again."
        )
    for place, block in enumerate(message["content"]):
        if "text" in block and not block["text"].strip():
            raise RefusedError(
                f"The text field in the ContentBlock object at messages.{index}.content.{place} is blank. Add text to "
                "the text field, and try again."
            )
    if _blocks(message, "document") and not _blocks(message, "text"):
        raise RefusedError(f"The message at messages.{index} has a document, but no text that goes with it.")


def _check_tools(messages: Sequence[Checked]) -> None:
    for index, message in enumerate(messages):
        called = {use["toolUseId"] for use in _blocks(message, "toolUse")}
        following = messages[index + 1 : index + 2]
        answered = {result["toolUseId"] for one in following for result in _blocks(one, "toolResult")}
        if called - answered:
            raise RefusedError(
                f"Expected toolResult blocks at messages.{index + 1}.content for the following Ids: "
                f"{', '.join(sorted(called - answered))}"
            )
        if answered - called:
            raise RefusedError(
                f"The number of toolResult blocks at messages.{index + 1}.content exceeds the number of toolUse blocks "
                "of previous turn."
            )
    if _blocks(messages[0], "toolResult"):
        raise RefusedError(
            "The number of toolResult blocks at messages.0.content exceeds the number of toolUse blocks of previous "
            "turn."
        )


def _blocks(message: Checked, kind: str) -> list[Checked]:
    return [block[kind] for block in message["content"] if kind in block]
