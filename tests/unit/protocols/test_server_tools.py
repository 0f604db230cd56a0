"""What providers' own tools found and did, as their documentation shows it, told in each other format: what the text
rests on as that format's citations, code as what it has for code; in one piece and as a stream.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from yescale.domain.assembly import disassemble
from yescale.domain.chat import ChatRequest
from yescale.domain.ids import ProtocolId
from yescale.protocols.codec import Envelope
from yescale.protocols.registry import CODECS

WIKI, NEWS, PAGE, RECIPE = (
    "https://en.example/wiki",
    "https://news.example/?a=1",
    "https://x.example/p",
    "https://r.example",
)
_ASKED = ChatRequest(model="m", messages=(), stream=True, usage_wanted=True)
ENVELOPE = Envelope(id="r", model="m", created=1, request=_ASKED, input_tokens=1)


class Case(NamedTuple):
    """An answer of a provider, the pages that it rests on, and the code that ran."""

    source: str
    body: dict[str, Any]
    pages: tuple[str, ...] = ()
    output: str = ""


def anthropic(*content: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": content, "usage": usage} | {
        "stop_reason": "end_turn"
    }


def google(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0} | more
    return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}}


def responses(*output: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 2}
    return {"id": "resp_1", "object": "response", "model": "g", "status": "completed", "output": output, "usage": usage}


def said(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": annotations}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


CASES = {
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
    "Claude's web search": Case(
        "anthropic.messages",
        anthropic(
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "birth date"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                {"type": "web_search_result", "url": WIKI, "title": "W", "encrypted_content": "E", "page_age": "1"}]},
            {"type": "text", "text": "Born in 1916", "citations": [
                {"type": "web_search_result_location", "url": WIKI, "title": "W", "encrypted_index": "I",
                 "cited_text": "1916"}]},
        ),
        (WIKI,),
    ),
    # .../web-fetch-tool: a page that was read is a document, cited by its place.
    "Claude's web fetch": Case(
        "anthropic.messages",
        anthropic(
            {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_fetch", "input": {"url": PAGE}},
            {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_2", "content": {
                "type": "web_fetch_result", "url": PAGE, "retrieved_at": "2025-08-25T10:30:00Z", "content": {
                    "type": "document", "title": "T", "source": {
                        "type": "text", "media_type": "text/plain", "data": "x"}}}},
            {"type": "text", "text": "It argues", "citations": [
                {"type": "char_location", "document_index": 0, "document_title": "T", "start_char_index": 0,
                 "end_char_index": 1, "cited_text": "x"}]},
        ),
    ),
    # .../code-execution-tool
    "Claude's code execution": Case(
        "anthropic.messages",
        anthropic(
            {"type": "server_tool_use", "id": "srvtoolu_3", "name": "bash_code_execution", "input": {"command": "ls"}},
            {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_3", "content": {
                "type": "bash_code_execution_result", "stdout": "total 24", "stderr": "", "return_code": 0,
                "content": []}},
            {"type": "text", "text": "Listed."},
        ),
        output="total 24",
    ),
    # https://ai.google.dev/gemini-api/docs/google-search
    "Google's search": Case(
        "gemini.generate",
        google({"text": "Spain won."}, groundingMetadata={
            "webSearchQueries": ["who won"], "searchEntryPoint": {"renderedContent": "<div>"},
            "groundingChunks": [{"web": {"uri": NEWS, "title": "n"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 10, "text": "Spain won."},
                                   "groundingChunkIndices": [0]}]}),
        (NEWS,),
    ),
    # https://ai.google.dev/gemini-api/docs/url-context
    "Google's URL context": Case(
        "gemini.generate",
        google({"text": "Two recipes."}, urlContextMetadata={"urlMetadata": [
            {"retrievedUrl": RECIPE, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
            {"retrievedUrl": PAGE, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"}]}),
        (RECIPE,),
    ),
    # https://ai.google.dev/gemini-api/docs/code-execution
    "Google's code execution": Case(
        "gemini.generate",
        google({"text": "See:"}, {"executableCode": {"language": "PYTHON", "code": "print(5117)"}},
               {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "5117\n"}}, {"text": "So 5117."}),
        output="5117",
    ),
    # https://platform.openai.com/docs/guides/tools-web-search
    "OpenAI's web search": Case(
        "openai.responses",
        responses(
            {"type": "web_search_call", "id": "ws_1", "status": "completed",
             "action": {"type": "search", "query": "q"}},
            said("On March 6, news.",
                 {"type": "url_citation", "start_index": 3, "end_index": 10, "url": NEWS, "title": "N"}),
        ),
        (NEWS,),
    ),
    # https://platform.openai.com/docs/guides/tools-code-interpreter
    "OpenAI's code interpreter": Case(
        "openai.responses",
        responses(
            {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "print(1)",
             "container_id": "c", "outputs": [{"type": "logs", "logs": "one"}]},
            said("Done."),
        ),
        output="one",
    ),
    # https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat
    "OpenAI's search models": Case(
        "openai.chat",
        {"id": "c", "object": "chat.completion", "model": "gpt-4o-search-preview", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "the result is x", "annotations": [
                    {"type": "url_citation", "url_citation": {
                        "start_index": 4, "end_index": 10, "title": "P", "url": PAGE}}]}}]},
        (PAGE,),
    ),
}  # fmt: skip


def find(wire: Any, name: str) -> Iterator[Any]:
    """Every value of this name, at any depth."""
    for inner in wire.values() if isinstance(wire, dict) else wire if isinstance(wire, list) else ():
        yield from find(inner, name)
    if isinstance(wire, dict) and name in wire:
        yield wire[name]


# The pages in each format's own form of a citation.
CITED: Mapping[str, Callable[[Any], set[str]]] = {
    "openai.chat": lambda wire: {each["url"] for each in find(wire, "url_citation")},
    "openai.responses": lambda wire: {
        each["url"]
        for group in (*find(wire, "annotations"), find(wire, "annotation"))
        for each in group
        if each["type"] == "url_citation"
    },
    "anthropic.messages": lambda wire: {
        each["url"]
        for group in (*find(wire, "citations"), find(wire, "citation"))
        for each in group or ()
        if each["type"] == "web_search_result_location"
    },
    "gemini.generate": lambda wire: {each["uri"] for each in find(wire, "web")},
}


def told(case: Case, target: str, *, stream: bool) -> Any:
    """The answer as a client of the target's format gets it."""
    response = CODECS[ProtocolId(case.source)].decode_response(json.dumps(case.body).encode())
    codec = CODECS[ProtocolId(target)]
    if not stream:
        return json.loads(codec.encode_response(response, ENVELOPE))
    encoder = codec.stream_encoder(ENVELOPE)
    lines = b"".join(map(encoder.encode, disassemble(response))).decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("target", CITED)
@pytest.mark.parametrize("name", CASES)
def test_what_a_provider_s_tool_found_or_did_is_told_in_every_other_format(
    name: str, target: str, stream: bool
) -> None:
    case = CASES[name]
    if case.source == target:
        return  # passes as it is
    wire = told(case, target, stream=stream)
    assert CITED[target](wire) == set(case.pages)
    assert case.output in json.dumps(wire)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.source != "anthropic.messages"])
def test_a_client_of_anthropic_gets_no_call_without_its_result(name: str) -> None:
    """The next request would be refused with it: each server_tool_use wants its result."""
    content = told(CASES[name], "anthropic.messages", stream=False)["content"]
    calls = {block["id"] for block in content if block["type"] == "server_tool_use"}
    assert calls == {block["tool_use_id"] for block in content if block["type"].endswith("_tool_result")}
    assert all("type" not in block["input"] for block in content if block["type"] == "server_tool_use")


def test_pages_that_every_chunk_repeats_are_cited_once() -> None:
    chunk = CASES["Google's URL context"].body
    data = b"data: %b\n\n" % json.dumps(chunk).encode()
    decoder = CODECS[ProtocolId("gemini.generate")].stream_decoder(10_000)
    events = [*decoder.feed(data), *decoder.feed(data), *decoder.finish()]
    assert sum(type(event).__name__ == "Cited" for event in events) == 1


def test_a_file_is_no_page_of_the_web_for_google() -> None:
    wire = told(CASES["Claude's web fetch"], "gemini.generate", stream=False)
    metadata = wire["candidates"][0]["groundingMetadata"]
    assert metadata["groundingChunks"] == [{"retrievedContext": {"title": "T"}}]
