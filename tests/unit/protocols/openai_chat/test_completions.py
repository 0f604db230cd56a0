"""Legacy completions: carried unchanged, and seen as a chat of one message."""

import json
from typing import Any

import pytest
from openai.types import Completion

from yescale.domain.assembly import disassemble
from yescale.domain.chat import ChatRequest, ChatResponse, Choice, Message, Sampling, StopReason, TokenScore
from yescale.domain.content import Image, Inline, Text, Thinking, ToolCall
from yescale.domain.faults import Fault
from yescale.domain.profile import Profile
from yescale.domain.usage import Meter
from yescale.protocols.codec import NO_WORDS, Envelope, Malformed
from yescale.protocols.openai_chat import COMPLETIONS
from yescale.protocols.openai_chat.completions_codec import CODEC, ID, CompletionEncoder
from yescale.protocols.passthrough import Change, Peek


def peek(**fields: Any) -> Peek | Fault:
    return COMPLETIONS.peek(json.dumps({"model": "m", "prompt": "hi", **fields}).encode(), NO_WORDS)


def decode(**fields: Any) -> ChatRequest:
    return CODEC.decode_request(json.dumps({"model": "m", "prompt": "hi", **fields}).encode(), NO_WORDS)


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({}, "model", "m"),
        ({"max_tokens": 5}, "declared", 5),
        ({"max_tokens": None}, "limit_field", "max_tokens"),
        ({"n": 2, "best_of": 5}, "n", 5),
        ({"prompt": ["a", "b", "c"], "n": 2}, "n", 6),
        ({"prompt": [1, 2, 3]}, "n", 1),
        ({"prompt": [[1, 2], [3]]}, "n", 2),
        ({"stream": True, "stream_options": {"include_usage": True}}, "wants_usage", True),
    ],
)
def test_price_and_route_read_what_they_need(fields: dict[str, Any], name: str, value: object) -> None:
    found = peek(**fields)
    assert isinstance(found, Peek)
    assert getattr(found, name) == value


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"model": ""}, "model"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"best_of": 0}, "best_of"),
        ({"n": 1_000}, "n"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_bad_request_names_the_field_at_fault(fields: dict[str, Any], param: str) -> None:
    found = peek(**fields)
    assert isinstance(found, Fault)
    assert found.param == param


def test_a_field_that_is_said_twice_is_refused() -> None:
    found = COMPLETIONS.peek(b'{"model":"m","prompt":"a","best_of":1,"best_of":9}', NO_WORDS)
    assert isinstance(found, Fault)
    assert found.param == "best_of"


def test_only_what_must_change_does() -> None:
    body = b'{"model": "m", "prompt" : "hi",  "stream":true, "odd":1.10}'
    found = COMPLETIONS.peek(body, NO_WORDS)
    assert isinstance(found, Peek)
    changed = COMPLETIONS.rewrite(body, found, Change(model="up"))
    assert changed == (
        b'{"stream_options":{"include_usage":true},"model": "up", "prompt" : "hi",  "stream":true, "odd":1.10}'
    )


def test_a_prompt_is_the_users_message() -> None:
    request = decode(prompt=["tell"], max_tokens=9, stop="x", n=2, logprobs=3, temperature=0, echo=True, suffix=None)
    assert request.messages == (Message(role="user", parts=(Text(text="tell"),)),)
    assert (request.max_tokens, request.stop, request.n) == (9, ("x",), 2)
    assert request.sampling == Sampling(temperature=0, logprobs=True, top_logprobs=3)
    assert {name: bytes(value) for name, value in request.extras[ID].items()} == {"echo": b"true"}


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1]]])
def test_a_chat_takes_one_prompt_of_text(prompt: list[Any]) -> None:
    with pytest.raises(Malformed) as refused:
        decode(prompt=prompt)
    assert refused.value.fault.param == "prompt"


def test_a_conversation_is_no_prompt() -> None:
    picture = Image(source=Inline("image/png", "QUJD"))
    request = ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="a"), picture)),) * 2)
    encoded = CODEC.encode_request(request, Profile())
    assert json.loads(encoded.body)["prompt"] == "aa"
    assert {loss.what for loss in encoded.losses if loss.weight == "content"} == {"messages", "part.image"}


def envelope(**fields: Any) -> Envelope:
    return Envelope(id="7", model="shown", created=5, request=ChatRequest(model="m", messages=(), **fields))


def answer() -> ChatResponse:
    parts = (Thinking(text="hm"), Text(text="hé"), ToolCall(id="c", name="f", arguments="{}"), Text(text="llo"))
    scores = (TokenScore("hé", -0.5, (("he", -1.5),)), TokenScore("llo", -0.25))
    choice = Choice(parts=parts, reason=StopReason.LENGTH, scores=scores)
    return ChatResponse(id="up", model="m", choices=(choice,), usage={Meter.INPUT_TOKENS: 3, Meter.OUTPUT_TOKENS: 4})


def test_a_whole_answer_is_a_text_completion() -> None:
    body = CODEC.encode_response(answer(), envelope())
    found = Completion.model_validate(json.loads(body), strict=True)
    assert (found.id, found.object, found.model) == ("cmpl-7", "text_completion", "shown")
    assert (found.choices[0].text, found.choices[0].finish_reason) == ("héllo", "length")
    assert found.choices[0].logprobs is not None
    assert found.choices[0].logprobs.tokens == ["hé", "llo"]
    assert found.choices[0].logprobs.text_offset == [0, 2]
    assert found.usage is not None
    assert found.usage.total_tokens == 7


@pytest.mark.parametrize("wanted", [True, False])
def test_a_stream_has_the_same_shape_and_its_end_mark(wanted: bool) -> None:
    encoder = CompletionEncoder(envelope(stream=True, usage_wanted=wanted))
    stream = b"".join(encoder.encode(event) for event in disassemble(answer()))
    assert stream.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in stream.removesuffix(b"data: [DONE]\n\n").split(b"\n\n") if line]
    assert {(chunk["id"], chunk["object"]) for chunk in chunks} == {("cmpl-7", "text_completion")}
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == "héllo"
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]][-1] == "length"
    assert ("usage" in chunks[-1]) is wanted
