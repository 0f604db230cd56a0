"""Citations of documents: each document that asks for it is quoted with its first sentence.

https://platform.claude.com/docs/en/build-with-claude/citations: plain text is cited by characters, a PDF by pages, and
content of one's own by blocks.
"""

from collections.abc import Iterator

from yescale_sandbox.anthropic.prompt import Asked, Block, Source
from yescale_sandbox.jsontype import JsonObject

QUOTED_CHARS = 200


def is_wanted(asked: Asked) -> bool:
    return any(True for _ in _documents(asked))


def quotes(asked: Asked) -> list[tuple[str, JsonObject]]:
    """For each document a sentence and its citation."""
    found: list[tuple[str, JsonObject]] = []
    for index, block in enumerate(_documents(asked)):
        place = _place(block)
        if place is not None:
            cited: JsonObject = {**place, "document_index": index, "document_title": block.title, "file_id": None}
            found.append((f"\n\nDocument {index + 1} says: {cited['cited_text']}", cited))
    return found


def _documents(asked: Asked) -> Iterator[Block]:
    for message in asked.messages:
        for block in message.blocks():
            if block.type == "document" and block.cited:
                yield block


def _place(block: Block) -> JsonObject | None:
    source = block.source
    if not isinstance(source, Source):
        return None
    if source.type == "text":
        text = _first_sentence(source.data)
        return {"type": "char_location", "cited_text": text, "start_char_index": 0, "end_char_index": len(text)}
    if source.type == "content":
        text = _content_text(source)
        return {"type": "content_block_location", "cited_text": text, "start_block_index": 0, "end_block_index": 1}
    return {"type": "page_location", "cited_text": "(page 1)", "start_page_number": 1, "end_page_number": 2}


def _content_text(source: Source) -> str:
    if isinstance(source.content, str):
        return source.content[:QUOTED_CHARS]
    return next((block.text[:QUOTED_CHARS] for block in source.content or [] if block.type == "text"), "")


def _first_sentence(text: str) -> str:
    end = text.find(".") + 1
    return text[: min(end or len(text), QUOTED_CHARS)]
