"""Whole answers: what Gemini says in canonical form, and what a client of Gemini's is told of any answer."""

import json
from typing import Any

import pytest
from msgspec import Raw

from yescale.domain.chat import ChatRequest, ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import (
    Audio,
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter, Usage
from yescale.protocols.codec import Envelope, Garbled
from yescale.protocols.gemini_generate import CODEC, GENERATE

OWN = ProtocolId("gemini.generate")
FOREIGN = ProtocolId("anthropic.messages")
ENVELOPE = Envelope(id="req", model="shown", created=1, request=ChatRequest(model="shown", messages=()))


def decode(**wire: object) -> ChatResponse:
    return CODEC.decode_response(json.dumps(wire).encode())


def candidate(*parts: object, **more: object) -> dict[str, object]:
    return {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0} | more


def encode(*parts: Part, reason: StopReason = StopReason.END, usage: Usage | None = None) -> Any:
    response = ChatResponse(id="up", model="m", choices=(Choice(parts=parts, reason=reason),), usage=usage)
    return json.loads(CODEC.encode_response(response, ENVELOPE))


def test_an_answer_is_read_whole() -> None:
    response = decode(
        candidates=[candidate({"text": "hm", "thought": True}, {"text": "hi"}), candidate({"text": "ho"}, index=1)],
        usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 2},
        modelVersion="gemini-2.5-flash",
        responseId="r1",
    )
    assert (response.id, response.model) == ("r1", "gemini-2.5-flash")
    assert response.choices[0].parts == (Thinking(text="hm", origin=OWN), Text(text="hi"))
    assert response.choices[1].parts == (Text(text="ho"),)
    assert response.usage == {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2}


def test_calls_get_ids_that_differ_between_answers_and_choices_and_stay_the_same() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    one = decode(candidates=[candidate(call, call), candidate(call, index=1)], responseId="a")
    other = decode(candidates=[candidate(call)], responseId="b")
    parts = [part for response in (one, other) for choice in response.choices for part in choice.parts]
    ids = [part.id for part in parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 4
    assert one == decode(candidates=[candidate(call, call), candidate(call, index=1)], responseId="a")
    assert one.choices[0].reason is StopReason.TOOL_CALLS


REASONS = [
    ("STOP", StopReason.END, "STOP"),
    ("MAX_TOKENS", StopReason.LENGTH, "MAX_TOKENS"),
    ("SAFETY", StopReason.FILTERED, "SAFETY"),
    ("PROHIBITED_CONTENT", StopReason.FILTERED, "SAFETY"),
    ("MALFORMED_FUNCTION_CALL", StopReason.ERROR, "OTHER"),
    ("SOMETHING_NEW", StopReason.OTHER, "OTHER"),
]


@pytest.mark.parametrize(("word", "reason", "back"), REASONS)
def test_a_reason_is_read_and_said(word: str, reason: StopReason, back: str) -> None:
    choice = decode(candidates=[candidate({"text": "x"}, finishReason=word)]).choices[0]
    assert (choice.reason, choice.raw_reason) == (reason, word)
    assert encode(Text(text="x"), reason=reason)["candidates"][0]["finishReason"] == back


def test_a_blocked_prompt_is_a_filtered_choice_that_says_why() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    response = decode(**body)
    (choice,) = response.choices
    assert choice.reason is StopReason.FILTERED
    assert choice.parts == (Refusal(text="The provider blocked the prompt: SAFETY."),)
    assert response.usage == {Meter.INPUT_TOKENS: 4, Meter.OUTPUT_TOKENS: 0}
    answer = GENERATE.read_answer(json.dumps(body).encode())
    assert answer is not None
    assert answer.usage == response.usage


@pytest.mark.parametrize(
    "body", [b"{}", b'{"candidates":[]}', b"[]", b"x", b'{"candidates":[{"content":{"parts":[1]}}]}']
)
def test_an_answer_without_candidates_is_none(body: bytes) -> None:
    """Contract 10.1: empty candidates are an error, never an empty success."""
    with pytest.raises(Garbled):
        CODEC.decode_response(body)


@pytest.mark.parametrize("body", [b"{}", b'{"candidates":[]}', b"[]", b"x"])
def test_what_passes_by_without_candidates_is_no_answer_either(body: bytes) -> None:
    assert GENERATE.read_answer(body) is None


USAGES: list[tuple[object, Usage | None]] = [
    ({"promptTokenCount": 0, "candidatesTokenCount": 0}, {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}),
    ({}, None),
    (None, None),
    ("x", None),
    ({"promptTokenCount": -1}, None),
    (
        {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 3, "thoughtsTokenCount": 2},
        {Meter.INPUT_TOKENS: 6, Meter.CACHE_READ_TOKENS: 4, Meter.OUTPUT_TOKENS: 3, Meter.REASONING_TOKENS: 2},
    ),
    (
        {"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 0},
        {Meter.INPUT_TOKENS: 15, Meter.OUTPUT_TOKENS: 0},
    ),
    (
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 30,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 10},
                {"modality": "IMAGE", "tokenCount": 50},
                {"modality": "AUDIO", "tokenCount": 40},
            ],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
            "candidatesTokenCount": 1300,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        },
        {
            Meter.INPUT_TOKENS: 10,
            Meter.CACHE_READ_TOKENS: 30,
            Meter.IMAGE_INPUT_TOKENS: 50,
            Meter.AUDIO_INPUT_TOKENS: 10,
            Meter.OUTPUT_TOKENS: 10,
            Meter.IMAGE_OUTPUT_TOKENS: 1290,
        },
    ),
]


@pytest.mark.parametrize(("wire", "usage"), USAGES)
def test_usage_never_overlaps(wire: object, usage: Usage | None) -> None:
    """Promise 11: an explicit zero stays zero."""
    assert decode(candidates=[candidate({"text": "x"})], usageMetadata=wire).usage == usage


@pytest.mark.parametrize("usage", [usage for _, usage in USAGES if usage is not None])
def test_usage_is_said_with_googles_overlaps_and_comes_back(usage: Usage) -> None:
    wire = encode(Text(text="x"), usage=usage)["usageMetadata"]
    assert wire["totalTokenCount"] == sum(usage.values())
    back = decode(candidates=[candidate({"text": "x"})], usageMetadata=wire).usage
    assert back == usage


GROUNDING = {
    "webSearchQueries": ["q"],
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b", "title": "B"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 4, "endIndex": 11, "text": "è così"[:5]}, "groundingChunkIndices": [0, 7]}
    ],
}


def test_sources_are_cited_in_characters_though_google_counts_bytes() -> None:
    text = "«è» così è."
    start = len("«è» ".encode())
    support = {"segment": {"startIndex": start, "endIndex": start + 5, "text": "così"}, "groundingChunkIndices": [0, 7]}
    grounding = GROUNDING | {"groundingSupports": [support]}
    response = decode(
        candidates=[candidate({"text": "t", "thought": True}, {"text": text}, groundingMetadata=grounding)]
    )
    part = response.choices[0].parts[1]
    assert isinstance(part, Text)
    assert part.citations == (
        Citation(url="https://a", title="A", quote="così", start=4, end=8),
        Citation(url="https://b", title="B"),
    )
    wire = encode(part)["candidates"][0]["groundingMetadata"]
    assert wire["groundingChunks"] == GROUNDING["groundingChunks"]
    assert wire["groundingSupports"] == [
        {"segment": {"startIndex": start, "endIndex": start + 5, "text": "così"}, "groundingChunkIndices": [0]}
    ]


def test_a_stretch_that_is_not_where_google_says_is_found_by_its_words_or_cited_without_a_place() -> None:
    def cite(segment: object, text: str = "abc") -> tuple[int, int]:
        grounding = GROUNDING | {"groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}]}
        part = decode(candidates=[candidate({"text": text}, groundingMetadata=grounding)]).choices[0].parts[0]
        assert isinstance(part, Text)
        return part.citations[0].start, part.citations[0].end

    assert cite({"startIndex": 90, "endIndex": 99, "text": "bc"}) == (1, 3)
    assert cite({"startIndex": 90, "endIndex": 99, "text": "xyz"}) == (-1, -1)
    assert cite({"endIndex": 2}) == (0, 2)
    assert cite({"startIndex": 2, "endIndex": 5}, "\u00e9b\u00e9c") == (1, 3)
    assert cite({"startIndex": 1, "endIndex": 3}, "\u00e9b\u00e9c") == (-1, -1)


def test_a_quoted_source_is_cited() -> None:
    quotes = {"citationSources": [{"startIndex": 1, "endIndex": 2, "uri": "https://a"}]}
    part = decode(candidates=[candidate({"text": "abc"}, citationMetadata=quotes)]).choices[0].parts[0]
    assert part == Text(text="abc", citations=(Citation(url="https://a", start=1, end=2),))


def test_log_probabilities_are_read_and_said() -> None:
    logprobs = {
        "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
    }
    choice = decode(candidates=[candidate({"text": "a"}, logprobsResult=logprobs)]).choices[0]
    assert choice.scores == (TokenScore("a", -0.5, (("b", -1.5),)),)
    response = ChatResponse(id="", model="", choices=(choice,))
    assert json.loads(CODEC.encode_response(response, ENVELOPE))["candidates"][0]["logprobsResult"] == logprobs


SHOWN: list[tuple[Part, list[object]]] = [
    (Refusal(text="no"), [{"text": "no"}]),
    (Image(source=Inline("image/png", "AAAA")), [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]),
    (Audio(transcript="words"), [{"text": "words"}]),
    (
        ToolCall(id="1", name="f", arguments='{"z":'),
        [{"functionCall": {"id": "1", "name": "f", "args": {"_raw": '{"z":'}}}],
    ),
    (
        HostedCall(
            id="1", tool="code_execution", arguments='{"language":"python","code":"1"}', origin=FOREIGN, raw=Raw(b"{}")
        ),
        [{"executableCode": {"language": "PYTHON", "code": "1"}}],
    ),
    (
        HostedResult(call_id="1", tool="code_execution", origin=FOREIGN, raw=Raw(b"{}"), text="1"),
        [{"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}],
    ),
    (HostedCall(id="1", tool="web_search", arguments="{}", origin=FOREIGN, raw=Raw(b"{}")), []),
    (Opaque(origin=FOREIGN, raw=Raw(b"{}")), []),
    (Opaque(origin=OWN, raw=Raw(b'{"a":1}')), [{"a": 1}]),
]


@pytest.mark.parametrize(("part", "wire"), SHOWN)
def test_a_client_of_geminis_is_shown_what_gemini_can_say(part: Part, wire: object) -> None:
    answer = encode(part)
    assert answer["candidates"][0]["content"] == {"parts": wire, "role": "model"}
    assert (answer["modelVersion"], answer["responseId"]) == ("shown", "req")


def test_a_foreign_seal_is_handed_out_and_read_again() -> None:
    part = Thinking(text="hm", seal="se-al", origin=FOREIGN)
    (wire,) = encode(part)["candidates"][0]["content"]["parts"]
    assert "se-al" not in wire["thoughtSignature"]
    assert decode(candidates=[candidate(wire)]).choices[0].parts == (part,)
    hidden = Thinking(seal="se-al", origin=FOREIGN, redacted=True)
    assert decode(candidates=[candidate(*encode(hidden)["candidates"][0]["content"]["parts"])]).choices[0].parts == (
        hidden,
    )
