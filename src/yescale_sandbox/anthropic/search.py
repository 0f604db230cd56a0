"""The tools that the provider runs, web search and web fetch; the results are made up, and equal for equal requests.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool and /web-fetch-tool. They run when the
last user message contains the word `search` or `fetch` or spells the call out, or when the choice demands it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from msgspec import Struct

from yescale_sandbox.anthropic import seal
from yescale_sandbox.anthropic.prompt import Call, Tool
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import SHORT_QUOTE_CHARS, dictated

RESULTS = 2
TITLE_CHARS = 60
FETCHED = "https://example.com/"
RETRIEVED = "2025-01-02T03:04:05Z"


class Ran(Struct, frozen=True):
    """One use of a tool, and the block with its result."""

    id: str
    name: str
    arguments: str
    result: JsonObject


class Quoted(Struct, frozen=True):
    """A sentence about a result, with where it comes from."""

    text: str
    citations: tuple[JsonObject, ...]


_WORDS: Mapping[str, str] = {"web_search": "search", "web_fetch": "fetch"}


def run(call: Call) -> tuple[Ran, ...]:
    """What the request makes the provider run; after results of the client's own tools nothing."""
    asked = call.asked
    choice = asked.tool_choice
    if asked.tool_answers() or (choice is not None and choice.type == "none"):
        return ()
    said = asked.last_user_text()
    spelled = dictated(said)
    offered = {tool.name: tool for tool in asked.tools if tool.type is not None and tool.name in _WORDS}
    if spelled:
        wanted = [(one.name, one.arguments) for one in spelled if one.name in offered]
    else:
        forced = choice.name if choice is not None and choice.type == "tool" else None
        named = [name for name in offered if name == forced or (forced is None and _WORDS[name] in said.lower())]
        wanted = [(name, _arguments(name, said)) for name in named]
    return tuple(_ran(offered[name], arguments, f"{call.digest}/{at}") for at, (name, arguments) in enumerate(wanted))


def quoted(ran: Sequence[Ran]) -> list[Quoted]:
    """One cited sentence for each search."""
    found: list[Quoted] = []
    for one in ran:
        results = one.result["content"]
        if one.name == "web_search" and isinstance(results, list):
            first = results[0]
            if isinstance(first, dict):
                found.append(_sentence(first))
    return found


def _sentence(result: JsonObject) -> Quoted:
    text = f"\n\nThe sandbox found {result['title']}."
    return Quoted(
        text,
        (
            {
                "type": "web_search_result_location",
                "url": result["url"],
                "title": result["title"],
                "encrypted_index": seal.closed("cited", str(result["url"])),
                "cited_text": str(result["title"]),
            },
        ),
    )


def _arguments(name: str, said: str) -> str:
    value: JsonObject = {"query": said[:SHORT_QUOTE_CHARS]} if name == "web_search" else {"url": FETCHED}
    return msgspec.json.encode(value).decode()


def _ran(tool: Tool, arguments: str, seed: str) -> Ran:
    use_id = f"srvtoolu_01{hashlib.sha256(seed.encode()).hexdigest()[:22]}"
    asked: JsonObject = msgspec.json.decode(arguments)
    content = _results(tool, str(asked.get("query", ""))) if tool.name == "web_search" else _page(asked)
    result: JsonObject = {"type": f"{tool.name}_tool_result", "tool_use_id": use_id, "content": content}
    return Ran(use_id, tool.name, arguments, result)


def _results(tool: Tool, query: str) -> Json:
    host = (tool.allowed_domains or ["example.com"])[0]
    title = " ".join(query.split())[:TITLE_CHARS]
    return [
        {
            "type": "web_search_result",
            "title": f"{title}, result {number}",
            "url": (url := f"https://{host}/{quote(title, safe='')}/{number}"),
            "encrypted_content": seal.closed("found", url),
            "page_age": None,
        }
        for number in range(1, RESULTS + 1)
    ]


def _page(asked: JsonObject) -> Json:
    url = str(asked.get("url", FETCHED))
    source: JsonObject = {"type": "text", "media_type": "text/plain", "data": f"This is the page {url}."}
    document: JsonObject = {"type": "document", "source": source, "title": None}
    return {"type": "web_fetch_result", "url": url, "content": document, "retrieved_at": RETRIEVED}
