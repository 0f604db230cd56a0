"""Rules of the conversation: whose turn it is, which blocks a turn may have, which answers belong to which calls.

The words: anthropics/claude-code/issues/8210 and /13460 (tools), /62150 (empty text),
ding113/claude-code-hub/issues/518 (signature), lbjlaq/Antigravity-Manager/issues/139 (thinking first).
"""

from collections.abc import Callable, Mapping, Sequence

from yescale_sandbox.anthropic import seal
from yescale_sandbox.anthropic.attachment import check_document, check_image
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.prompt import Asked, Block, Content, Message, Source
from yescale_sandbox.anthropic.refusal import RefusedError
from yescale_sandbox.anthropic.shapes import wrong

THOUGHTS = ("thinking", "redacted_thinking")
_BY_USER = frozenset({"image", "search_result", "tool_result", "container_upload"})
_BY_ASSISTANT = frozenset({"tool_use", "server_tool_use", *THOUGHTS})


def check(asked: Asked, terms: Terms) -> None:
    """Raises: RefusedError."""
    if asked.messages[0].role != "user":
        raise RefusedError('messages: first message must use the "user" role')
    _check_texts(asked.system_blocks(), "system")
    for index, message in enumerate(asked.messages):
        _check_message(message, index, is_last=index == len(asked.messages) - 1)
    if terms.is_newest:
        _check_newest(asked.messages)
    _check_pairs(asked.messages)
    _check_citing(asked.messages)
    _check_prefill(asked.messages[-1])
    if asked.thinks:
        _check_thinking_first(asked.messages)


def _check_message(message: Message, index: int, *, is_last: bool) -> None:
    if not message.content and not (is_last and message.role == "assistant"):
        raise wrong(
            f"messages.{index}",
            "all messages must have non-empty content except for the optional final assistant message",
        )
    if message.content:
        _check_texts(message.blocks(), "messages")
    for place, block in enumerate(message.blocks()):
        path = f"messages.{index}.content.{place}"
        _check_side(block, message.role, path)
        check_one = _CHECKS.get(block.type)
        if check_one is not None:
            check_one(block, path)


def _check_newest(messages: Sequence[Message]) -> None:
    """https://platform.claude.com/docs/en/api/migration-2026-10-21: what the older versions let pass."""
    for index, message in enumerate(messages):
        for place, block in enumerate(message.blocks()):
            path = f"messages.{index}.content.{place}"
            if block.type == "document" and message.role == "assistant":
                raise wrong(path, "`document` blocks can only be in `user` messages")
            if block.type == "text" and message.role == "user" and block.citations:
                raise wrong(f"{path}.text.citations", "`citations` can only be in `assistant` messages")


def _check_texts(blocks: Sequence[Block], path: str) -> None:
    for block in blocks:
        if block.type == "text" and not block.text:
            raise wrong(path, "text content blocks must be non-empty")
        if block.type == "text" and not block.text.strip():
            raise wrong(path, "text content blocks must contain non-whitespace text")


def _check_side(block: Block, role: str, path: str) -> None:
    other = "user" if block.type in _BY_USER else "assistant" if block.type in _BY_ASSISTANT else role
    if other != role:
        raise wrong(path, f"`{block.type}` blocks can only be in `{other}` messages")


def _check_thought(block: Block, path: str) -> None:
    if not seal.is_signed("thinking", block.thinking, block.signature):
        raise wrong(path, "Invalid `signature` in `thinking` block")


def _check_redacted(block: Block, path: str) -> None:
    if not seal.is_closed("redacted", block.data):
        raise wrong(path, "Invalid `data` in `redacted_thinking` block")


def _check_found(block: Block, path: str) -> None:
    for place, found in enumerate(block.content if isinstance(block.content, list) else []):
        if not seal.is_closed("found", found.encrypted_content):
            raise wrong(f"{path}.content.{place}", "Invalid `encrypted_content` in `web_search_result` block")


def _check_cited(block: Block, path: str) -> None:
    for place, citation in enumerate(block.citations if isinstance(block.citations, list) else []):
        index = citation.get("encrypted_index")
        if index is not None and not seal.is_closed("cited", index):
            raise wrong(f"{path}.citations.{place}", "Invalid `encrypted_index` in `web_search_result_location`")


def _check_image(block: Block, path: str) -> None:
    if isinstance(block.source, Source):
        check_image(block.source, f"{path}.image.source")


def _check_document(block: Block, path: str) -> None:
    if isinstance(block.source, Source):
        check_document(block.source, f"{path}.document.source")
        _check_inner(block.source.content, f"{path}.document.source.content.content")


def _check_result(block: Block, path: str) -> None:
    _check_inner(block.content, f"{path}.tool_result.content")


def _check_inner(content: Content, path: str) -> None:
    """Blocks within a block: they may not be empty or broken either."""
    blocks = content if isinstance(content, list) else []
    _check_texts(blocks, "messages")
    for place, block in enumerate(blocks):
        check_one = _CHECKS.get(block.type)
        if check_one is not None:
            check_one(block, f"{path}.{place}")


_CHECKS: Mapping[str, Callable[[Block, str], None]] = {
    "document": _check_document,
    "image": _check_image,
    "redacted_thinking": _check_redacted,
    "text": _check_cited,
    "thinking": _check_thought,
    "tool_result": _check_result,
    "web_search_tool_result": _check_found,
}


def _check_pairs(messages: Sequence[Message]) -> None:
    """Every call is answered at the start of the next message, and nothing else is."""
    for index, message in enumerate(messages):
        _check_server_pairs(message, index)
        called = [block.id for block in message.blocks() if block.type == "tool_use"]
        if len(set(called)) < len(called):
            raise wrong(f"messages.{index}", "`tool_use` ids must be unique")
        is_last = index == len(messages) - 1
        following = [] if is_last else messages[index + 1].blocks()
        answered = _leading_results(following)
        silent = [call for call in called if call not in answered]
        if silent and not (is_last and message.role == "user"):
            raise wrong(
                f"messages.{index}",
                f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(silent)}. Each "
                "`tool_use` block must have a corresponding `tool_result` block in the next message.",
            )
        before = messages[index - 1].blocks() if index else []
        _check_results(message, index, [block.id for block in before if block.type == "tool_use"])


def _leading_results(blocks: Sequence[Block]) -> list[str]:
    """The ids that the results at the start of a message answer."""
    ids: list[str] = []
    for block in blocks:
        if block.type != "tool_result":
            break
        ids.append(block.tool_use_id)
    return ids


def _check_results(message: Message, index: int, called: Sequence[str]) -> None:
    seen: set[str] = set()
    for place, block in enumerate(message.blocks()):
        if block.type != "tool_result":
            continue
        path = f"messages.{index}.content.{place}"
        if block.tool_use_id not in called:
            raise wrong(
                path,
                f"unexpected `tool_use_id` found in `tool_result` blocks: {block.tool_use_id}. Each `tool_result` "
                "block must have a corresponding `tool_use` block in the previous message.",
            )
        if block.tool_use_id in seen:
            raise wrong(
                path,
                f"each tool_use must have a single result. Found multiple `tool_result` blocks with id: "
                f"{block.tool_use_id}",
            )
        seen.add(block.tool_use_id)


def _check_server_pairs(message: Message, index: int) -> None:
    """Results of server tools stand after their call, in the same message (claude-code/issues/62577)."""
    called: set[str] = set()
    for place, block in enumerate(message.blocks()):
        if block.type == "server_tool_use":
            called.add(block.id)
        elif block.type.endswith("_tool_result") and block.tool_use_id not in called:
            raise wrong(
                f"messages.{index}.content.{place}",
                f"unexpected `tool_use_id` found in `{block.type}` blocks: {block.tool_use_id}. Each `{block.type}` "
                "block must have a corresponding `server_tool_use` block before it.",
            )


def _check_citing(messages: Sequence[Message]) -> None:
    documents = [block for message in messages for block in message.blocks() if block.type == "document"]
    if any(block.cited for block in documents) and not all(block.cited for block in documents):
        raise RefusedError("messages: Citations must be enabled on all or none of the documents in a request.")


def _check_prefill(last: Message) -> None:
    blocks = last.blocks()
    if (
        last.role == "assistant"
        and blocks
        and blocks[-1].type == "text"
        and blocks[-1].text != blocks[-1].text.rstrip()
    ):
        raise RefusedError("messages: final assistant content cannot end with trailing whitespace")


def _check_thinking_first(messages: Sequence[Message]) -> None:
    """The turn that tools are answering, or that a prefill begins, starts with a thought."""
    index = _start_of_turn(messages)
    if index is None:
        return
    first = messages[index].blocks()[0]
    if first.type not in THOUGHTS:
        raise wrong(
            f"messages.{index}.content.0.type",
            f"Expected `thinking` or `redacted_thinking`, but found `{first.type}`. When `thinking` is enabled, a "
            "final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and "
            "`tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this "
            "requirement, disable `thinking`. Please consult our documentation at "
            "https://docs.claude.com/en/docs/build-with-claude/extended-thinking",
        )


def _start_of_turn(messages: Sequence[Message]) -> int | None:
    """Where the unfinished turn of the assistant begins; None if the user has begun a new one."""
    found = None
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role == "assistant":
            found = index if message.content else found
        elif not any(block.type == "tool_result" for block in message.blocks()):
            break
    return found
