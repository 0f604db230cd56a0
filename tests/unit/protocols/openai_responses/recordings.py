"""Streams as OpenAI sends them, event by event, after its API reference."""

import json

from msgspec import Raw

Event = dict[str, object]

USAGE: Event = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 50,
}


def response(status: str, output: list[Event] | None = None, **more: object) -> Event:
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-up",
        "output": output or [],
        "usage": None,
        "service_tier": "default",
    } | more


CREATED: Event = {"type": "response.created", "response": response("in_progress")}


def wire(events: list[Event]) -> bytes:
    """The bytes of a stream, numbered."""
    numbered = [{"sequence_number": number} | event for number, event in enumerate(events)]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered).encode()


def added(index: int, item: Event) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: Event) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def completed(output: list[Event] | None = None, usage: Event | None = USAGE) -> Event:
    return {"type": "response.completed", "response": response("completed", output, usage=usage)}


REASONING: Event = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
    "encrypted_content": "sealed",
}
CITED: Event = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}
MESSAGE: Event = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [
        {"type": "output_text", "text": "Hello, wörld", "annotations": [CITED]},
        {"type": "refusal", "refusal": "But no."},
    ],
}
CALL: Event = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": "ü"}'}
CUSTOM: Event = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** Begin"}
SEARCH: Event = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "weather"},
}
CODE: Event = {
    "id": "ci_1",
    "type": "code_interpreter_call",
    "status": "completed",
    "code": "print(1)",
    "container_id": "cntr",
    "outputs": [{"type": "logs", "logs": "1\n"}],
}
OUTPUT: list[Event] = [REASONING, SEARCH, CODE, MESSAGE, CALL, CUSTOM]


def _summary(step: str, number: int, **more: object) -> Event:
    kind = f"response.reasoning_summary_{step}"
    return {"type": kind, "item_id": "rs_1", "output_index": 0, "summary_index": number} | more


def _content(step: str, number: int, **more: object) -> Event:
    return {"type": f"response.{step}", "item_id": "msg_1", "output_index": 3, "content_index": number} | more


def _hosted(step: str, index: int) -> Event:
    return {"type": f"response.{step}", "output_index": index, "item_id": "x"}


def _arguments(step: str, index: int, **more: object) -> Event:
    return {"type": f"response.{step}", "output_index": index, "item_id": "x"} | more


FULL: list[Event] = [
    CREATED,
    {"type": "response.in_progress", "response": response("in_progress")},
    added(0, {"id": "rs_1", "type": "reasoning", "summary": []}),
    _summary("part.added", 0, part={"type": "summary_text", "text": ""}),
    _summary("text.delta", 0, delta="Fir"),
    _summary("text.delta", 0, delta="st."),
    _summary("text.done", 0, text="First."),
    _summary("part.done", 0, part={"type": "summary_text", "text": "First."}),
    _summary("part.added", 1, part={"type": "summary_text", "text": ""}),
    _summary("text.delta", 1, delta="Then."),
    _summary("text.done", 1, text="Then."),
    done(0, REASONING),
    added(1, SEARCH | {"status": "in_progress"}),
    _hosted("web_search_call.in_progress", 1),
    _hosted("web_search_call.searching", 1),
    _hosted("web_search_call.completed", 1),
    done(1, SEARCH),
    added(2, CODE | {"status": "in_progress", "outputs": None}),
    _hosted("code_interpreter_call.completed", 2),
    done(2, CODE),
    added(3, MESSAGE | {"content": [], "status": "in_progress"}),
    _content("content_part.added", 0, part={"type": "output_text", "text": "", "annotations": []}),
    _content("output_text.delta", 0, delta="Hello, ", logprobs=[], obfuscation="xY"),
    _content("output_text.delta", 0, delta="wörld", logprobs=[{"token": "w", "logprob": -0.5, "top_logprobs": []}]),
    _content("output_text.annotation.added", 0, annotation_index=0, annotation=CITED),
    _content("output_text.done", 0, text="Hello, wörld", logprobs=[]),
    _content("content_part.done", 0, part={"type": "output_text", "text": "Hello, wörld", "annotations": [CITED]}),
    _content("content_part.added", 1, part={"type": "refusal", "refusal": ""}),
    _content("refusal.delta", 1, delta="But no."),
    _content("refusal.done", 1, refusal="But no."),
    _content("content_part.done", 1, part={"type": "refusal", "refusal": "But no."}),
    done(3, MESSAGE),
    added(4, CALL | {"arguments": ""}),
    _arguments("function_call_arguments.delta", 4, delta='{"a": '),
    _arguments("function_call_arguments.delta", 4, delta='"ü"}'),
    _arguments("function_call_arguments.done", 4, arguments='{"a": "ü"}'),
    done(4, CALL),
    added(5, CUSTOM | {"input": ""}),
    _arguments("custom_tool_call_input.delta", 5, delta="*** Begin"),
    _arguments("custom_tool_call_input.done", 5, input="*** Begin"),
    done(5, CUSTOM),
    completed(OUTPUT),
]


def raw(value: object) -> Raw:
    """A value as the decoders keep it: the bytes that `json.dumps` makes of it."""
    return Raw(json.dumps(value).encode())
